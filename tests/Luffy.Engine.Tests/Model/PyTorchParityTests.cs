using Luffy.Engine.Configuration;
using Luffy.Engine.Model;
using Luffy.Engine.Optim;
using Luffy.Engine.Rl;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Model;

/// <summary>Two-layer Qwen2, Llama and Qwen3 models against numbers that PyTorch computed in f64.</summary>
[TestFixture]
public sealed class PyTorchParityTests
{
    private static IEnumerable<TestCaseData> BackendsAndModels() =>
        from backend in TestBackends.Names from model in ModelFixture.All select new TestCaseData(backend, model).SetArgDisplayNames(backend, model.Name);

    private static IEnumerable<TestCaseData> LossCases() =>
        from backend in TestBackends.Names
        from model in ModelFixture.All
        from loss in model.LossCases
        select new TestCaseData(backend, model, loss).SetArgDisplayNames(backend, model.Name, loss.Name);

    [TestCaseSource(nameof(BackendsAndModels))]
    public void Log_probs_agree(string backendName, ModelFixture fixture)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using TestModel model = TestModel.Load(backend, fixture, DType.F32);
        ScoreFixture expected = fixture.Score;
        IReadOnlyList<float[]> actual = model.Scorer.LogProbs(model.Parameters, [.. expected.Ids.Select(ids => new TrainingRow { Ids = ids, PromptLength = 1 })]);
        for (int s = 0; s < expected.Ids.Length; s++)
            Assert.That(actual[s], Is.EqualTo(expected.Logprobs[s]).Within(2e-5), $"sequence {s}");
    }

    [TestCaseSource(nameof(BackendsAndModels))]
    public void Logits_agree(string backendName, ModelFixture fixture)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using TestModel model = TestModel.Load(backend, fixture, DType.F32);
        ScoreFixture expected = fixture.Score;
        int[] ids = expected.Ids[2];
        using DeviceBuffer arena = backend.Allocate("activations", model.Plan.Bytes), memory = backend.Allocate("logits", ids.Length * model.Config.VocabularySize * 4L);
        var activations = new ActivationSet(model.Plan, arena);
        activations.SetSize(ids.Length, 1, 0);
        backend.Upload<int>(activations.Ids, ids);
        backend.Upload<int>(activations.Positions, [.. Enumerable.Range(0, ids.Length)]);
        backend.Upload<int>(activations.SequenceStarts, [0, ids.Length]);
        model.Model.Forward(model.Parameters, activations,
            new PackedKeys(backend, ActivationPlan.AttentionOf(model.Config)) { SequenceStarts = activations.SequenceStarts });
        Tensor logits = memory.View(0, DType.F32, ids.Length, model.Config.VocabularySize);
        backend.Linear.Forward(logits, activations.Final, model.Parameters.Matrix(model.Parameters.Layout.Head));
        var actual = new float[logits.Length];
        backend.Download<float>(logits, actual);
        Assert.That(actual, Is.EqualTo(expected.LogitsOfThird.SelectMany(row => row)).Within(3e-5));
    }

    [TestCaseSource(nameof(LossCases))]
    public void Loss_and_every_gradient_agree(string backendName, ModelFixture fixture, LossCaseFixture expected)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using TestModel model = TestModel.Load(backend, fixture, DType.F32);
        PolicyStatistics statistics = Accumulate(model, fixture, expected);

        Assert.That(statistics.Loss, Is.EqualTo(expected.Loss).Within(1e-5 * Math.Max(1, Math.Abs(expected.Loss))));
        Dictionary<string, float[]> gradients = model.Gradients();
        Assert.That(gradients.Keys, Is.EquivalentTo(expected.Gradients.Keys));
        foreach ((string name, GradientFixture gradient) in expected.Gradients)
        {
            Assert.That(Norm(gradients[name]), Is.EqualTo(gradient.Norm).Within(1e-4 * gradient.Norm), name);
            foreach (double[] entry in gradient.Entries)
                Assert.That(gradients[name][(int)entry[0]], Is.EqualTo(entry[1]).Within(1e-4 * gradient.Norm), $"{name}[{entry[0]}]");
        }
    }

    [TestCaseSource(nameof(BackendsAndModels))]
    public void Full_gradients_agree_within_1e_4_of_their_norm(string backendName, ModelFixture fixture)
    {
        using IBackend backend = TestBackends.Create(backendName);
        foreach (string name in new[] { "gamma_0.1", "everything" })
        {
            using TestModel model = TestModel.Load(backend, fixture, DType.F32, recompute: name == "everything");
            Accumulate(model, fixture, fixture.LossCases.Single(c => c.Name == name));
            Dictionary<string, float[]> actual = model.Gradients();
            foreach ((string tensor, FixtureTensor expected) in fixture.FullGradients(name))
                Assert.That(Distance(actual[tensor], expected.Values), Is.LessThan(1e-4 * Norm(expected.Values)), $"{name}: {tensor}");
        }
    }

    [TestCaseSource(nameof(BackendsAndModels))]
    public void Ten_optimizer_steps_agree(string backendName, ModelFixture fixture)
    {
        TrainingFixture expected = fixture.Training;
        TrainingRecipeFixture recipe = expected.Recipe;
        using IBackend backend = TestBackends.Create(backendName);
        using TestModel model = TestModel.Load(backend, fixture, DType.F32);
        Dictionary<string, float[]> start = model.Weights();
        using var optimizer = new AdamWOptimizer(backend, model.Parameters.Layout, recipe.AdamBeta1, recipe.AdamBeta2, recipe.AdamEpsilon,
            recipe.WeightDecay, recipe.MaxGradNorm)
        { DecayVectors = true };
        var schedule = new LearningRateSchedule(recipe.LearningRate, LearningRateScheduler.Linear, recipe.WarmupSteps, recipe.MaxSteps);
        List<TrainingRow> rows = Rows(fixture, useReference: false, useBehavior: false);
        var options = new PolicyLossOptions { Clip = true, Epsilon = 0.1f, EpsilonHigh = 0.15f, EntropyCoefficient = 0.01f };
        float[] weights = [.. rows.Select(_ => 1f)];
        for (int step = 0; step < expected.Steps.Length; step++)
        {
            var statistics = new PolicyStatistics();
            model.Parameters.ZeroGradients();
            model.Updater.Accumulate(model.Parameters, rows, weights, options, statistics);
            UpdateResult update = optimizer.Update(model.Parameters, schedule.At(step));
            Assert.That(schedule.At(step), Is.EqualTo(expected.Steps[step].LearningRate).Within(1e-9));
            Assert.That(statistics.Loss, Is.EqualTo(expected.Steps[step].Loss).Within(1e-4 * Math.Max(1, Math.Abs(expected.Steps[step].Loss))), $"step {step}");
            Assert.That(update.GradientNorm, Is.EqualTo(expected.Steps[step].GradientNorm).Within(1e-3 * expected.Steps[step].GradientNorm), $"step {step}");
        }

        Dictionary<string, float[]> trained = model.Weights();
        foreach ((string name, FixtureTensor tensor) in fixture.TrainedWeights)
        {
            double moved = Distance(start[name], tensor.Values);
            Assert.That(Distance(trained[name], tensor.Values), Is.LessThan(10 * expected.Float32.WorstRelativeErrorOfUpdate * moved), name);
        }
    }

    private static PolicyStatistics Accumulate(TestModel model, ModelFixture fixture, LossCaseFixture loss)
    {
        IReadOnlyList<RowFixture> rows = fixture.Rows;
        var statistics = new PolicyStatistics();
        model.Updater.Accumulate(model.Parameters, Rows(fixture, loss.Settings.Beta != 0, loss.Settings.UseBehaviorLogprobs),
            loss.Settings.RowWeights(rows), loss.Settings.ToOptions(), statistics);
        return statistics;
    }

    private static List<TrainingRow> Rows(ModelFixture fixture, bool useReference, bool useBehavior) => [.. fixture.Rows.Select(r => new TrainingRow
    {
        Ids = r.Ids,
        PromptLength = r.PromptLength,
        OffPolicyTokens = r.IsOffPolicy ? r.ResponseLength : 0,
        Advantage = r.Advantage,
        OldLogProbs = r.OldLogprobs,
        ReferenceLogProbs = useReference ? r.ReferenceLogprobs : null,
        BehaviorLogProbs = useBehavior ? r.BehaviorLogprobs : null,
    })];

    private static double Norm(float[] values) => Math.Sqrt(values.Sum(v => (double)v * v));

    private static double Distance(float[] a, float[] b) => Math.Sqrt(a.Zip(b).Sum(p => ((double)p.First - p.Second) * ((double)p.First - p.Second)));
}
