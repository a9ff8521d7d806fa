using Luffy.Engine.Rollout;
using Luffy.Engine.Tests.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Rollout;

/// <summary>Samples start one by one as rows fall free: no row idles while a sample waits, and nothing of that shows in what is sampled.</summary>
[TestFixture]
public sealed class FullBatchTests
{
    private static readonly ModelFixture Qwen = ModelFixture.All[0];

    // Prompts that end in a page's first, second, last and middle token.
    private static readonly int[] Lengths = [1, 2, 15, 16, 17, 31, 32, 33, 40];

    // Groups larger and smaller than the batches, so that some start in pieces.
    private static readonly RolloutRequest[] Requests = [.. Lengths.Select((n, i) => new RolloutRequest(Prompt(n, i), 100 + i, 1 + (i * 5 % 9)))];

    private static IEnumerable<TestCaseData> Cases() =>
        from backend in TestBackends.Names from dtype in new[] { DType.F32, DType.Bf16 } select new TestCaseData(backend, dtype).SetArgDisplayNames(backend, dtype.Name());

    [TestCaseSource(nameof(Cases))]
    public void Any_batch_and_any_order_give_the_same_completions(string backendName, DType dtype)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using TestModel model = TestModel.Load(backend, Qwen, dtype);
        Dictionary<(int Prompt, int Sample), Completion> expected = Sampled(64, Requests);
        Assert.That(expected, Has.Count.EqualTo(Requests.Sum(r => r.Samples)));
        Assert.That(expected.Values.Select(c => c.Ids.Length).Distinct().Count(), Is.GreaterThan(5), "rows fall free at different times");
        var random = new Random(3);
        foreach (int batch in new[] { 1, 3, 7, 8, 13, 32 })
        {
            var requests = (RolloutRequest[])Requests.Clone();
            random.Shuffle(requests);
            Dictionary<(int Prompt, int Sample), Completion> all = Sampled(batch, requests);
            Assert.That(all.Keys, Is.EquivalentTo(expected.Keys));
            foreach ((var key, Completion c) in all)
            {
                Assert.That(c.Ids, Is.EqualTo(expected[key].Ids), $"batch {batch}: {key}");
                Assert.That(Bits(c.LogProbs), Is.EqualTo(Bits(expected[key].LogProbs)), $"batch {batch}: {key}");
                Assert.That(Bits(c.SampledLogProbs), Is.EqualTo(Bits(expected[key].SampledLogProbs)), $"batch {batch}: {key}");
            }
        }

        Dictionary<(int, int), Completion> Sampled(int batch, RolloutRequest[] requests) =>
            model.Rollouts(batch).Run(model.Parameters, requests, Options(24, 1)).ToDictionary(c => (requests[c.Request].PromptKey, c.Sample));
    }

    [Test]
    public void No_row_idles_while_a_sample_waits()
    {
        using IBackend backend = TestBackends.Create(TestBackends.Names[0]);
        using TestModel model = TestModel.Load(backend, Qwen, DType.F32);
        RolloutEngine engine = model.Rollouts(6);
        const int length = 20;
        RolloutRequest[] requests = [.. Enumerable.Range(0, 3).Select(i => new RolloutRequest(Prompt(9 + (8 * i), i), i, 8))];
        engine.Run(model.Parameters, requests, Options(length, -1), c => Assert.That(c.Ids, Has.Length.EqualTo(length)));
        // 24 completions in rows of 6 are four rounds, three of which begin with a prompt.
        Assert.That(engine.Counters.DecodeSteps, Is.EqualTo((4 * length) - 3));
        Assert.That(engine.Counters.DecodeTokens, Is.EqualTo(6 * engine.Counters.DecodeSteps), "every row of every step");
        Assert.That(engine.Counters.PrefillTokens, Is.EqualTo(9 + 17 + 25), "each prompt once");
    }

    [Test]
    public void A_first_token_that_ends_its_completion_frees_the_row_at_once()
    {
        using IBackend backend = TestBackends.Create(TestBackends.Names[0]);
        using TestModel model = TestModel.Load(backend, Qwen, DType.F32);
        RolloutEngine engine = model.Rollouts(2);
        int ended = 0;
        engine.Run(model.Parameters, [new RolloutRequest([2, 3], 1, 2, MaxNewTokens: 1), new RolloutRequest([2, 3], 2, 2, MaxNewTokens: 5)], Options(5, -1), _ => ended++);
        Assert.That(ended, Is.EqualTo(4));
        Assert.That((engine.Counters.DecodeSteps, engine.Counters.DecodeTokens), Is.EqualTo((4L, 8L)));
    }

    [Test]
    public void The_cache_holds_the_longest_sequences_and_a_held_prompt()
    {
        using IBackend backend = TestBackends.Create(TestBackends.Names[0]);
        using TestModel model = TestModel.Load(backend, Qwen, DType.F32);
        foreach (int batch in new[] { 1, 2, 5 })
        {
            RolloutEngine engine = model.Rollouts(batch);
            foreach (int length in Lengths)
            {
                RolloutRequest[] requests = [.. Enumerable.Range(0, 3).Select(i => new RolloutRequest(Prompt(length, i), i, 7))];
                // Half the runs are broken off; pages that were not given back would be missed by the next.
                using var source = new CancellationTokenSource();
                int drawn = 0;
                Assert.Throws<OperationCanceledException>(() => engine.Run(model.Parameters, requests, Options(24, -1), _ => { }, (_, _, _) =>
                {
                    if (++drawn == 30 + length) source.Cancel();
                }, source.Token));
                int ended = 0;
                engine.Run(model.Parameters, requests, Options(24, -1), _ => ended++);
                Assert.That(ended, Is.EqualTo(21));
            }
        }
    }

    // A stop id of -1 cannot be drawn: every sequence runs to its full length.
    private static GenerationOptions Options(int length, int stop) =>
        new() { Sampling = new SamplingOptions(1, 0, 1, 0, 7), StopIds = [stop], MaxNewTokens = length };

    private static int[] Prompt(int length, int seed) => [.. Enumerable.Range(0, length).Select(t => 2 + (((t * 7) + (seed * 13)) % 60))];

    private static int[] Bits(float[] values) => [.. values.Select(BitConverter.SingleToInt32Bits)];
}
