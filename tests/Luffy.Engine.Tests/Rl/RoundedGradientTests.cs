using Luffy.Engine.Model;
using Luffy.Engine.Optim;
using Luffy.Engine.Rl;
using Luffy.Engine.Tests.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Rl;

/// <summary>gradient_dtype bf16: the gradients of f32 storage, of which the layers' matrices are rounded once.</summary>
[TestFixture]
public sealed class RoundedGradientTests
{
    private static readonly PolicyLossOptions Options = new() { EntropyCoefficient = 0.01f };

    private static IEnumerable<TestCaseData> Cases() =>
        from backend in TestBackends.Names from model in new[] { 0, 1 } select new TestCaseData(backend, model);

    [TestCaseSource(nameof(Cases))]
    public void Gradients_are_those_of_f32_storage_rounded_once(string backendName, int fixture)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using TestModel exact = TestModel.Load(backend, ModelFixture.All[fixture], DType.Bf16);
        using TestModel rounded = TestModel.Load(backend, ModelFixture.All[fixture], DType.Bf16, gradientDType: DType.Bf16);
        foreach (TestModel model in (TestModel[])[exact, rounded]) Accumulate(model, Rows(fixture));
        // What an earlier pass left is overwritten.
        rounded.Parameters.ZeroGradients();
        Accumulate(rounded, Rows(fixture));

        Dictionary<string, float[]> expected = exact.Gradients(), actual = rounded.Gradients();
        foreach (Parameter p in rounded.Parameters.Layout.All)
        {
            bool isRounded = rounded.Parameters.Layout.LayerMatrices.Contains(p);
            foreach (CheckpointTensor t in p.Tensors)
                Assert.That(actual[t.Name], Is.EqualTo(isRounded ? Array.ConvertAll(expected[t.Name], BFloat16.Round) : expected[t.Name]), t.Name);
        }

        using var optimizer = new AdamWOptimizer(backend, exact.Parameters.Layout, 0.9, 0.999, 1e-8, 0.01, 1);
        double norm = Math.Sqrt(actual.Values.Sum(g => g.Sum(x => (double)x * x)));
        Assert.That(optimizer.GradientNorm(rounded.Parameters), Is.EqualTo(norm).Within(1e-5 * norm));
        Assert.That(optimizer.Update(rounded.Parameters, 1e-3).Applied, Is.True);
    }

    [TestCaseSource(nameof(Cases))]
    public void A_step_passes_once_and_rows_without_response_leave_no_gradient(string backendName, int fixture)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using TestModel model = TestModel.Load(backend, ModelFixture.All[fixture], DType.Bf16, gradientDType: DType.Bf16);
        using var optimizer = new AdamWOptimizer(backend, model.Parameters.Layout, 0.9, 0.999, 1e-8, 0, 1);
        var step = new PolicyStep(model.Parameters, model.Updater, optimizer);
        List<TrainingRow> rows = Rows(fixture);
        var weights = new float[rows.Count];
        Array.Fill(weights, 0.1f);
        PolicyStepResult result = step.Run(rows, weights, new PolicyObjectives(Options, Options), 1e-3, new PolicyStatistics());
        Assert.That(result.Update.GradientNorm, Is.Positive);
        Assert.That(result.OffPolicyNorm, Is.Null, "demonstrations and samples share the pass");
        rows = [.. rows.Where(r => r.OffPolicyTokens > 0)];
        result = step.Run(rows, weights, new PolicyObjectives(Options, Options), 1e-3, new PolicyStatistics());
        Assert.That(result.OffPolicyNorm, Is.EqualTo(result.Update.GradientNorm));

        TrainingRow[] empty = [new() { Ids = [1, 2], PromptLength = 2 }];
        Assert.That(step.Run(empty, weights, new PolicyObjectives(Options, Options), 1e-3, new PolicyStatistics()).Update.GradientNorm, Is.Zero);
    }

    [Test]
    public void Rows_that_need_two_passes_are_refused()
    {
        using IBackend backend = TestBackends.Create("reference");
        List<TrainingRow> rows = Rows(1);
        using TestModel model = TestModel.Load(backend, ModelFixture.All[1], DType.Bf16, tokens: rows.Max(r => r.InputTokens), gradientDType: DType.Bf16);
        Assert.That(() => Accumulate(model, rows), Throws.TypeOf<LuffyException>().With.Message.Contains("tokens_per_micro_batch"));
    }

    private static void Accumulate(TestModel model, List<TrainingRow> rows)
    {
        var weights = new float[rows.Count];
        Array.Fill(weights, 0.1f);
        model.Updater.Accumulate(model.Parameters, rows, weights, Options, new PolicyStatistics());
    }

    private static List<TrainingRow> Rows(int fixture) => [.. ModelFixture.All[fixture].Rows.Select(r => new TrainingRow
    {
        Ids = r.Ids,
        PromptLength = r.PromptLength,
        OffPolicyTokens = r.IsOffPolicy ? r.ResponseLength : 0,
        Advantage = r.Advantage,
        OldLogProbs = r.OldLogprobs,
    })];
}
