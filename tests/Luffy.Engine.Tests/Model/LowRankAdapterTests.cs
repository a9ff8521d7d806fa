using Luffy.Engine.Configuration;
using Luffy.Engine.Model;
using Luffy.Engine.Optim;
using Luffy.Engine.Rl;
using Luffy.Engine.Rollout;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Model;

/// <summary>
/// A model with adapters is the model with W + s·B·A in W's place: log-probs and gradients follow from those of the whole model, which PyTorch
/// has checked.
/// </summary>
[TestFixture]
public sealed class LowRankAdapterTests
{
    private static readonly LowRankConfig Everywhere = new(3, 6, false, LowRankConfig.AllTargets);
    private static readonly PolicyLossOptions Options = new() { EntropyCoefficient = 0.01f };

    private static IEnumerable<TestCaseData> Cases() =>
        from fixture in ModelFixture.All
        from backend in TestBackends.Names
        from targets in (LowRankTarget[][])[[.. LowRankConfig.AllTargets], [LowRankTarget.QProj, LowRankTarget.VProj], [LowRankTarget.DownProj]]
        select new TestCaseData(fixture, backend, Everywhere with { Targets = targets, RankStabilized = targets.Length == 1 }).SetArgDisplayNames(fixture.Name, backend, $"{targets.Length}");

    [TestCaseSource(nameof(Cases))]
    public void Log_probs_and_gradients_are_those_of_the_merged_weights(ModelFixture fixture, string backendName, LowRankConfig adapters)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using TestModel adapted = Adapted(backend, fixture, DType.F32, adapters), merged = TestModel.Load(backend, fixture, DType.F32);
        Merge(merged, adapted, adapters);
        List<TrainingRow> rows = Rows(fixture);
        float[] weights = LossWeights.Of(rows, LossNormalizer.Tokens, 16);
        foreach (TestModel model in (TestModel[])[adapted, merged])
        {
            model.Parameters.ZeroGradients();
            model.Updater.Accumulate(model.Parameters, rows, weights, Options, new PolicyStatistics());
        }

        foreach ((float[] actual, float[] expected) in adapted.Scorer.LogProbs(adapted.Parameters, rows).Zip(merged.Scorer.LogProbs(merged.Parameters, rows)))
            Assert.That(actual, Is.EqualTo(expected).Within(2e-5));

        Dictionary<string, float[]> gradients = adapted.Gradients(), whole = merged.Gradients(), values = adapted.Weights();
        Assert.That(gradients, Has.Count.EqualTo(2 * adapters.Targets.Count * adapted.Config.Layers), "nothing else is trained");
        for (int l = 0; l < adapted.Config.Layers; l++)
        {
            foreach (LowRankTarget target in adapters.Targets)
            {
                string nameA = ParameterLayout.TensorOf(l, target, 'A'), nameB = ParameterLayout.TensorOf(l, target, 'B');
                float[] a = values[nameA], b = values[nameB], dw = whole[WeightOf(l, target)];
                int r = adapters.Rank, n = b.Length / r, k = a.Length / r;
                // dB = s·dW·Aᵀ and dA = s·Bᵀ·dW, by the chain rule.
                AssertClose(gradients[nameB], Product(n, r, k, (i, j, t) => dw[(i * k) + t] * a[(j * k) + t], adapters.Scale), nameB);
                AssertClose(gradients[nameA], Product(r, k, n, (i, j, t) => b[(t * r) + i] * dw[(t * k) + j], adapters.Scale), nameA);
            }
        }
    }

    private static IEnumerable<TestCaseData> Storage() =>
        from backend in TestBackends.Names from dtype in new[] { DType.F32, DType.Bf16 } select new TestCaseData(backend, dtype).SetArgDisplayNames(backend, dtype.Name());

    [TestCaseSource(nameof(Storage))]
    public void Sampling_and_training_agree_to_the_bit(string backendName, DType dtype)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using TestModel model = Adapted(backend, ModelFixture.All[1], dtype, Everywhere);
        var options = new GenerationOptions { MaxNewTokens = 12, Sampling = new SamplingOptions(1, 0, 1, 0, 5), StopIds = [] };
        IReadOnlyList<Completion> completions = model.Rollouts(4).Run(model.Parameters, [new RolloutRequest([3, 7, 2], 1, 3), new RolloutRequest([9, 1], 2, 3)], options);
        Assert.That(completions, Has.Count.EqualTo(6));
        foreach (Completion completion in completions)
        {
            int[] prompt = completion.Request == 0 ? [3, 7, 2] : [9, 1];
            TrainingRow row = new() { Ids = [.. prompt, .. completion.Ids], PromptLength = prompt.Length };
            Assert.That(model.Scorer.LogProbs(model.Parameters, [row])[0], Is.EqualTo(completion.LogProbs), "bits");
        }
    }

    [TestCaseSource(nameof(Storage))]
    public void Recomputed_activations_give_the_same_gradients(string backendName, DType dtype)
    {
        using IBackend backend = TestBackends.Create(backendName);
        List<TrainingRow> rows = Rows(ModelFixture.All[0]);
        Dictionary<string, float[]>[] gradients = [.. new[] { false, true }.Select(recompute =>
        {
            using TestModel model = Adapted(backend, ModelFixture.All[0], dtype, Everywhere, recompute);
            model.Parameters.ZeroGradients();
            model.Updater.Accumulate(model.Parameters, rows, LossWeights.Of(rows, LossNormalizer.Tokens, 16), Options, new PolicyStatistics());
            return model.Gradients();
        })];
        foreach ((string name, float[] expected) in gradients[0]) Assert.That(gradients[1][name], Is.EqualTo(expected), name);
    }

    [Test]
    public void Updates_change_the_adapters_alone_and_the_reference_is_the_model_without_them()
    {
        using IBackend backend = TestBackends.Create("cpu");
        using TestModel model = Adapted(backend, ModelFixture.All[1], DType.Bf16, Everywhere), plain = TestModel.Load(backend, ModelFixture.All[1], DType.Bf16);
        using var optimizer = new AdamWOptimizer(backend, model.Parameters.Layout, 0.9, 0.999, 1e-8, 0.01, 1);
        List<TrainingRow> rows = Rows(ModelFixture.All[1]);
        Dictionary<string, float[]> before = model.Weights();
        IReadOnlyList<float[]> scores = model.Scorer.LogProbs(model.Parameters, rows);
        model.Parameters.ZeroGradients();
        model.Updater.Accumulate(model.Parameters, rows, LossWeights.Of(rows, LossNormalizer.Tokens, 16), Options, new PolicyStatistics());
        Assert.That(optimizer.Update(model.Parameters, 1e-2).Applied, Is.True);

        foreach ((string name, float[] weights) in model.Weights())
            Assert.That(weights.AsSpan().SequenceEqual(before[name]), Is.EqualTo(!name.Contains("lora_", StringComparison.Ordinal)), name);
        Assert.That(model.Scorer.LogProbs(model.Parameters, rows)[0], Is.Not.EqualTo(scores[0]), "the update shows");
        ParameterSet reference = model.Parameters.WithoutAdapters();
        Assert.That(model.Scorer.LogProbs(reference, rows), Is.EqualTo(plain.Scorer.LogProbs(plain.Parameters, rows)));
        reference.Dispose();
        Assert.That(model.Scorer.LogProbs(model.Parameters, rows)[0], Has.Length.GreaterThan(0), "a view owns nothing");
    }

    private static TestModel Adapted(IBackend backend, ModelFixture fixture, DType dtype, LowRankConfig adapters, bool recompute = false)
    {
        TestModel model = TestModel.Load(backend, fixture, dtype, recompute, adapters: adapters);
        ModelWeights.InitializeAdapters(model.Parameters, 11);
        // B is zero at the start of a run, where A has no gradient; here both shall have one.
        var random = new Random(4);
        foreach (Parameter p in model.Parameters.Layout.Adapters.SelectMany(l => l.All).SelectMany(a => a.Projections).Select(p => p.B))
            foreach (CheckpointTensor t in p.Tensors)
                ModelWeights.Write(model.Parameters, ParameterKind.Weight, p, t, (_, values) => { for (int i = 0; i < values.Length; i++) values[i] = random.NextSingle() - 0.5f; });
        return model;
    }

    private static void Merge(TestModel merged, TestModel adapted, LowRankConfig adapters)
    {
        Dictionary<string, float[]> values = adapted.Weights();
        foreach (Parameter p in merged.Parameters.Layout.All)
        {
            foreach (CheckpointTensor t in p.Tensors)
            {
                for (int l = 0; l < merged.Config.Layers; l++)
                {
                    foreach (LowRankTarget target in adapters.Targets.Where(x => WeightOf(l, x) == t.Name))
                    {
                        float[] a = values[ParameterLayout.TensorOf(l, target, 'A')], b = values[ParameterLayout.TensorOf(l, target, 'B')];
                        int r = adapters.Rank, k = a.Length / r;
                        double[] delta = Product(b.Length / r, k, r, (i, j, x) => b[(i * r) + x] * a[(x * k) + j], adapters.Scale);
                        float[] whole = values[t.Name];
                        ModelWeights.Write(merged.Parameters, ParameterKind.Weight, p, t,
                            (start, some) => { for (int i = 0; i < some.Length; i++) some[i] = (float)(whole[start + i] + delta[start + i]); });
                    }
                }
            }
        }
    }

    private static string WeightOf(int layer, LowRankTarget target) => $"model.layers.{layer}.{LowRankConfig.PathOf(target)}.weight";

    private static double[] Product(int rows, int columns, int depth, Func<int, int, int, double> term, double scale) =>
        [.. from i in Enumerable.Range(0, rows) from j in Enumerable.Range(0, columns) select scale * Enumerable.Range(0, depth).Sum(t => term(i, j, t))];

    private static void AssertClose(float[] actual, double[] expected, string what)
    {
        double norm = Math.Sqrt(expected.Sum(x => x * x)), error = Math.Sqrt(actual.Zip(expected).Sum(p => Math.Pow(p.First - p.Second, 2)));
        Assert.That(norm, Is.GreaterThan(0), what);
        Assert.That(error / norm, Is.LessThan(2e-5), what);
    }

    private static List<TrainingRow> Rows(ModelFixture fixture) => [.. fixture.Rows.Select(r => new TrainingRow
    {
        Ids = r.Ids,
        PromptLength = r.PromptLength,
        OffPolicyTokens = r.IsOffPolicy ? r.ResponseLength : 0,
        Advantage = r.Advantage,
        OldLogProbs = r.OldLogprobs,
    })];
}
