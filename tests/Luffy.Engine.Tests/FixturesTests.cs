using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Tests;

/// <summary>The committed numbers are whole and agree with each other, so that a test which uses them tests the engine.</summary>
public sealed class FixturesTests
{
    private static IEnumerable<ModelFixture> Models => ModelFixture.All;

    [TestCaseSource(nameof(Models))]
    public void Weights_gradients_and_trained_weights_have_the_same_tensors(ModelFixture model)
    {
        using SafeTensorsModel weights = SafeTensorsModel.Open(model.ModelDirectory);
        Assert.That(weights.Contains("lm_head.weight"), Is.EqualTo(model.Name == "llama"));
        Assert.That(weights.Contains("model.layers.0.self_attn.q_proj.bias"), Is.EqualTo(model.Name == "qwen2"));
        Assert.That(weights.Contains("model.layers.0.self_attn.q_norm.weight"), Is.EqualTo(model.Name == "qwen3"));
        Assert.That(model.TrainedWeights.Keys, Is.EquivalentTo(weights.Names));
        foreach (LossCaseFixture lossCase in model.LossCases) Assert.That(lossCase.Gradients.Keys, Is.EquivalentTo(weights.Names));
    }

    [TestCaseSource(nameof(Models))]
    public void Gradients_in_full_and_in_short_agree(ModelFixture model)
    {
        foreach (string name in new[] { "gamma_0.1", "everything" })
        {
            LossCaseFixture lossCase = model.LossCases.Single(c => c.Name == name);
            double sum = 0;
            foreach ((string tensor, FixtureTensor full) in model.FullGradients(name))
            {
                GradientFixture brief = lossCase.Gradients[tensor];
                double norm = Math.Sqrt(full.Values.Sum(x => (double)x * x));
                sum += norm * norm;
                Assert.That(norm, Is.EqualTo(brief.Norm).Within(1e-5).Percent);
                foreach (double[] entry in brief.Entries)
                    Assert.That(full.Values[(int)entry[0]], Is.EqualTo(entry[1]).Within(Math.Max(1e-12, Math.Abs(entry[1]) * 1e-6)));
            }
            Assert.That(Math.Sqrt(sum), Is.EqualTo(lossCase.GradientNorm).Within(1e-5).Percent);
        }
    }

    [TestCaseSource(nameof(Models))]
    public void The_loss_is_the_weighted_sum_of_its_statistics(ModelFixture model)
    {
        IReadOnlyList<RowFixture> rows = model.Rows;
        foreach (LossCaseFixture lossCase in model.LossCases)
        {
            float[] rowWeights = lossCase.Settings.RowWeights(rows);
            double[] weights = [.. rows.SelectMany((row, i) => Enumerable.Repeat((double)rowWeights[i], row.ResponseLength))];
            double loss = weights.Select((w, t) => w * (lossCase.Statistics["policy_loss"][t]
                - (lossCase.Settings.EntropyCoef * lossCase.Statistics["entropy"][t]) + (lossCase.Settings.Beta * lossCase.Statistics["kl"][t]))).Sum();
            Assert.That(loss, Is.EqualTo(lossCase.Loss).Within(1e-6), lossCase.Name);
            Assert.That(lossCase.Settings.ToOptions().Temperature, Is.EqualTo(lossCase.Settings.Temperature));
        }
    }

    [TestCaseSource(nameof(Models))]
    public void Ten_steps_lower_the_loss(ModelFixture model)
    {
        TrainingFixture training = model.Training;
        Assert.That(training.Steps, Has.Length.EqualTo(10));
        Assert.That(training.Steps[^1].Loss, Is.LessThan(training.Steps[0].Loss));
        Assert.That(training.Recipe.Rates, Is.EqualTo(training.Steps.Select(s => s.LearningRate)));
        Assert.That(training.Float32.WorstRelativeErrorOfUpdate, Is.LessThan(1e-3));
    }

    [Test]
    public void Operations_have_inputs_and_outputs_of_matching_shapes()
    {
        IReadOnlyDictionary<string, FixtureTensor> ops = Fixtures.Tensors("ops.safetensors");
        foreach ((string name, FixtureTensor tensor) in ops)
        {
            int dot = name.LastIndexOf(".d_", StringComparison.Ordinal);
            if (dot < 0 || name.EndsWith("residual", StringComparison.Ordinal)) continue;
            string op = name.StartsWith("policy_loss", StringComparison.Ordinal) ? "policy_loss" : name[..dot];
            Assert.That(tensor.Shape, Is.EqualTo(ops[$"{op}.{name[(dot + 3)..]}"].Shape), name);
        }
        Assert.That(Fixtures.Json("adamw.json").GetProperty("steps").GetArrayLength(), Is.EqualTo(10));
        Assert.That(Fixtures.Json("golden.json").GetProperty("cases").GetArrayLength(), Is.EqualTo(6));
    }
}
