using Luffy.Engine.Configuration;
using Luffy.Engine.Optim;
using Luffy.Engine.Rl;
using Luffy.Engine.Tests.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Rl;

/// <summary>The update must not depend on how rows are packed, and not a bit on threads or repetition.</summary>
[TestFixture]
public sealed class UpdateInvarianceTests
{
    private static readonly ModelFixture Llama = ModelFixture.All[1];
    private static readonly PolicyLossOptions Options = new() { EntropyCoefficient = 0.01f, Clip = true };

    private static IEnumerable<TestCaseData> Cases() =>
        from backend in TestBackends.Names from dtype in new[] { DType.F32, DType.Bf16 } select new TestCaseData(backend, dtype).SetArgDisplayNames(backend, dtype.Name());

    private static List<TrainingRow> Rows() => [.. Llama.Rows.Select(r => new TrainingRow
    {
        Ids = r.Ids,
        PromptLength = r.PromptLength,
        OffPolicyTokens = r.IsOffPolicy ? r.ResponseLength : 0,
        Advantage = r.Advantage,
        OldLogProbs = r.OldLogprobs,
    })];

    [TestCaseSource(nameof(Cases))]
    public void Same_update_for_any_micro_batch_and_order(string backendName, DType dtype)
    {
        List<TrainingRow> rows = Rows();
        int longest = rows.Max(r => r.InputTokens);
        Dictionary<string, float[]> expected = Update(backendName, dtype, rows, 256, 2);
        // bf16 activations round each row the same way in any batch; what is left is the order of f32 sums.
        foreach (int tokens in new[] { longest, longest + 7, 40 })
            AssertClose(Update(backendName, dtype, rows, tokens, 2), expected, $"{tokens} tokens");
        rows.Reverse();
        AssertClose(Update(backendName, dtype, rows, 64, 2), expected, "reversed");
        AssertClose(Update(backendName, dtype, rows, 256, 2, recompute: true), expected, "recomputed activations");
    }

    [TestCaseSource(nameof(Cases))]
    public void Same_bits_for_any_thread_count_and_repetition(string backendName, DType dtype)
    {
        List<TrainingRow> rows = Rows();
        Dictionary<string, float[]> expected = Update(backendName, dtype, rows, 64, 1);
        foreach (int threads in new[] { 1, 2, 3 })
            foreach ((string name, float[] weights) in Update(backendName, dtype, rows, 64, threads))
                Assert.That(weights.AsSpan().SequenceEqual(expected[name]), Is.True, $"{name} with {threads} threads");
    }

    [Test]
    public void Weights_by_hand()
    {
        // Two rows of 2 and 3 response tokens and a masked one of 4; the longest allowed completion is 10.
        TrainingRow[] rows = [Row(2), Row(3), Row(4) with { Masked = true }];
        Assert.Multiple(() =>
        {
            Assert.That(LossWeights.Of(rows, LossNormalizer.Sum, 10), Is.EqualTo(new[] { 1f, 1f, 0f }));
            Assert.That(LossWeights.Of(rows, LossNormalizer.Tokens, 10), Is.EqualTo(new[] { 0.2f, 0.2f, 0f }));
            Assert.That(LossWeights.Of(rows, LossNormalizer.Sequences, 10), Is.EqualTo(new[] { 0.25f, 1f / 6, 0f }));
            Assert.That(LossWeights.Of(rows, LossNormalizer.MaxLength, 10), Is.EqualTo(new[] { 0.05f, 0.05f, 0f }));
            Assert.That(LossWeights.Of(rows, LossNormalizer.LuffyReference, 10), Is.EqualTo(new[] { 0.1f, 0.1f, 0f }));
        });
    }

    [Test]
    public void Advantages_follow_the_group_of_eight_table()
    {
        // luffy-algorithm: A(demo) = A(correct sample) = 7/8·(1 − k/7), A(wrong sample) = that − 1.
        for (int k = 0; k <= 7; k++)
        {
            double[] rewards = [.. Enumerable.Range(0, 7).Select(i => i < k ? 1.0 : 0), 1];
            bool[] demonstrations = [.. Enumerable.Repeat(false, 7), true];
            double[] advantages = Advantage.Of(rewards, demonstrations, AdvantageBaseline.Group, divideByStandardDeviation: false);
            double correct = 7.0 / 8 * (1 - (k / 7.0));
            Assert.That(advantages[7], Is.EqualTo(correct).Within(1e-12), $"k = {k}");
            if (k > 0) Assert.That(advantages[0], Is.EqualTo(correct).Within(1e-12));
            if (k < 7) Assert.That(advantages[6], Is.EqualTo(correct - 1).Within(1e-12));
            // Against the sampled rows alone, the demonstration stands out more, and samples of a hopeless group get nothing.
            double[] split = Advantage.Of(rewards, demonstrations, AdvantageBaseline.OnPolicy, divideByStandardDeviation: false);
            Assert.That(split[7], Is.EqualTo(1 - (k / 7.0)).Within(1e-12));
            if (k == 0) Assert.That(split[..7], Is.All.Zero);
        }

        Assert.That(Advantage.Of([1], [false], AdvantageBaseline.Group, true), Is.EqualTo(new[] { 1 / (1 + 1e-6) }), "a group of one has mean 0 and deviation 1");
        Assert.That(Advantage.Of([1, 0], [false, false], AdvantageBaseline.Group, true)[0], Is.EqualTo(0.5 / (Math.Sqrt(0.5) + 1e-6)).Within(1e-12), "unbiased deviation");
    }

    [Test]
    public void Packing_keeps_the_order_and_the_budgets()
    {
        TrainingRow[] rows = [Row(3), Row(3), Row(6), Row(1), Row(1), Row(1)];
        IReadOnlyList<Range> batches = BatchPacker.Pack(rows, 8, 3);
        Assert.That(batches.SelectMany(b => Enumerable.Range(b.Start.Value, b.End.Value - b.Start.Value)), Is.EqualTo(Enumerable.Range(0, 6)));
        Assert.That(batches.Select(b => rows[b].Sum(r => r.InputTokens)), Is.All.LessThanOrEqualTo(8));
        Assert.That(batches.Select(b => b.End.Value - b.Start.Value), Is.All.LessThanOrEqualTo(3));
        Assert.That(() => BatchPacker.Pack(rows, 5, 3), Throws.TypeOf<LuffyException>().With.Message.Contains("tokens_per_micro_batch"));
    }

    private static TrainingRow Row(int response) => new() { Ids = new int[response + 1], PromptLength = 1 };

    private static Dictionary<string, float[]> Update(string backendName, DType dtype, List<TrainingRow> rows, int tokens, int threads, bool recompute = false)
    {
        using IBackend backend = TestBackends.Create(backendName, threads);
        using TestModel model = TestModel.Load(backend, Llama, dtype, recompute, tokens);
        using var optimizer = new AdamWOptimizer(backend, model.Parameters.Layout, 0.9, 0.999, 1e-3, 0.01, 1);
        for (int step = 0; step < 2; step++)
        {
            model.Parameters.ZeroGradients();
            model.Updater.Accumulate(model.Parameters, rows, LossWeights.Of(rows, LossNormalizer.Tokens, 16), Options, new PolicyStatistics());
            Assert.That(optimizer.Update(model.Parameters, 1e-2).Applied, Is.True);
            if (dtype == DType.Bf16) break; // the second step would start from weights that differ by a rounding
        }

        return model.Weights();
    }

    private static void AssertClose(Dictionary<string, float[]> actual, Dictionary<string, float[]> expected, string what)
    {
        foreach ((string name, float[] values) in expected)
        {
            double norm = Math.Sqrt(values.Sum(v => (double)v * v));
            double distance = Math.Sqrt(values.Zip(actual[name]).Sum(p => ((double)p.First - p.Second) * ((double)p.First - p.Second)));
            Assert.That(distance, Is.LessThanOrEqualTo(1e-6 * norm), $"{what}: {name}");
        }
    }
}
