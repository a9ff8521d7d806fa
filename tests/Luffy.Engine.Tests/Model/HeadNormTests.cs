using Luffy.Engine.Model;
using Luffy.Engine.Optim;
using Luffy.Engine.Rl;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Model;

/// <summary>Qwen3's norms over each head of queries and keys, beside what PyTorch says of them.</summary>
public sealed class HeadNormTests
{
    private static readonly ModelFixture Qwen3 = ModelFixture.All.Single(m => m.Name == "qwen3");

    private static IEnumerable<string> Backends => TestBackends.Names;

    // Along a direction of ±1 the loss changes by h·Σ|g| if the direction is the gradient's sign: as large a difference as f32 can be asked for.
    [TestCaseSource(nameof(Backends))]
    public void Every_gradient_is_the_slope_of_the_loss(string backendName)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using TestModel model = TestModel.Load(backend, Qwen3, DType.F32);
        Loss(model);
        Dictionary<string, float[]> gradients = model.Gradients();
        Assert.That(gradients.Keys, Has.Some.EndsWith("q_norm.weight").And.Some.EndsWith("k_norm.weight"));
        foreach (Parameter p in model.Parameters.Layout.All)
        {
            foreach (CheckpointTensor tensor in p.Tensors)
            {
                float[] gradient = gradients[tensor.Name], start = ModelWeights.Read(model.Parameters, ParameterKind.Weight, p, tensor);
                double slope = gradient.Sum(g => Math.Abs((double)g)), step = 2e-3 / Math.Sqrt(gradient.Length);
                double Beside(double sign)
                {
                    Set(model, p, tensor, [.. start.Zip(gradient, (w, g) => (float)(w + (sign * step * Math.Sign(g))))]);
                    return Loss(model);
                }

                double measured = (Beside(1) - Beside(-1)) / (2 * step);
                Set(model, p, tensor, start);
                Assert.That(measured, Is.EqualTo(slope).Within(0.02 * slope), tensor.Name);
            }
        }
    }

    [Test]
    public void Computing_layers_again_gives_the_same_gradients_to_the_bit([ValueSource(nameof(Backends))] string backendName, [Values] bool bf16)
    {
        using IBackend backend = TestBackends.Create(backendName);
        DType dtype = bf16 ? DType.Bf16 : DType.F32;
        using TestModel kept = TestModel.Load(backend, Qwen3, dtype), again = TestModel.Load(backend, Qwen3, dtype, recompute: true);
        Assert.That(again.Plan.Bytes, Is.LessThan(kept.Plan.Bytes));
        Loss(kept);
        Loss(again);
        Dictionary<string, float[]> expected = kept.Gradients(), actual = again.Gradients();
        foreach ((string name, float[] values) in expected) Assert.That(actual[name], Is.EqualTo(values), name);
    }

    [Test]
    public void Norms_of_heads_do_not_decay()
    {
        using IBackend backend = TestBackends.Create("reference");
        using TestModel model = TestModel.Load(backend, Qwen3, DType.F32);
        Dictionary<string, float[]> before = model.Weights();
        using var optimizer = new AdamWOptimizer(backend, model.Parameters.Layout, 0.9, 0.999, 1e-8, weightDecay: 0.5, 1);
        model.Parameters.ZeroGradients();
        optimizer.Update(model.Parameters, 0.1);
        Dictionary<string, float[]> after = model.Weights();
        const string Layer = "model.layers.1.self_attn.";
        foreach (string name in new[] { "q_norm.weight", "k_norm.weight" }) Assert.That(after[Layer + name], Is.EqualTo(before[Layer + name]), name);
        Assert.That(after[Layer + "q_proj.weight"], Is.Not.EqualTo(before[Layer + "q_proj.weight"]));
    }

    private static double Loss(TestModel model)
    {
        var statistics = new PolicyStatistics();
        model.Parameters.ZeroGradients();
        // A row without old log-probs has the ratio 1 whatever the weights: its loss does not move.
        List<TrainingRow> rows = [.. Qwen3.Rows.Where(r => r.IsOffPolicy || r.OldLogprobs is not null).Select(r => new TrainingRow
        {
            Ids = r.Ids,
            PromptLength = r.PromptLength,
            OffPolicyTokens = r.IsOffPolicy ? r.ResponseLength : 0,
            Advantage = r.Advantage,
            OldLogProbs = r.OldLogprobs,
        })];
        model.Updater.Accumulate(model.Parameters, rows, [.. rows.Select(_ => 1f)], new PolicyLossOptions { OffPolicyShaping = PolicyShaping.Regularized, OffPolicyGamma = 0.3f }, statistics);
        return statistics.Loss;
    }

    private static void Set(TestModel model, Parameter p, in CheckpointTensor tensor, float[] values) =>
        ModelWeights.Write(model.Parameters, ParameterKind.Weight, p, tensor, (start, some) => values.AsSpan((int)start, some.Length).CopyTo(some));
}
