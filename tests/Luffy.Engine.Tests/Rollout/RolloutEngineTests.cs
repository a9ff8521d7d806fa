using Luffy.Engine.Model;
using Luffy.Engine.Rl;
using Luffy.Engine.Rollout;
using Luffy.Engine.Tests.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Rollout;

[TestFixture]
public sealed class RolloutEngineTests
{
    private static readonly ModelFixture Qwen = ModelFixture.All[0];

    private static IEnumerable<TestCaseData> Cases() =>
        from backend in TestBackends.Names from dtype in new[] { DType.F32, DType.Bf16 } select new TestCaseData(backend, dtype).SetArgDisplayNames(backend, dtype.Name());

    // Prompt lengths on both sides of page and block boundaries, one of them a whole number of pages.
    private static readonly RolloutRequest[] Requests =
        [.. new[] { 1, 3, 16, 17, 31, 32, 40, 5, 9 }.Select((n, i) => new RolloutRequest([.. Enumerable.Range(0, n).Select(t => 2 + (((t * 7) + (i * 13)) % 60))], 100 + i, 1 + (i % 4)))];

    private static GenerationOptions Options(float temperature = 1, int topK = 0, float topP = 1, float minP = 0, ulong seed = 7) => new()
    {
        Sampling = new SamplingOptions(temperature, topK, topP, minP, seed),
        StopIds = [1],
        MaxNewTokens = 24,
    };

    [TestCaseSource(nameof(Cases))]
    public void Completions_do_not_depend_on_batch_size_or_threads(string backendName, DType dtype)
    {
        IReadOnlyList<Completion>? first = null;
        foreach ((int batch, int threads) in new[] { (1, 1), (5, 2), (32, 1), (32, 3) })
        {
            using IBackend backend = TestBackends.Create(backendName, threads);
            using TestModel model = TestModel.Load(backend, Qwen, dtype);
            IReadOnlyList<Completion> all = model.Rollouts(batch).Run(model.Parameters, Requests, Options());
            Assert.That(all, Has.Count.EqualTo(Requests.Sum(r => r.Samples)));
            first ??= all;
            for (int i = 0; i < all.Count; i++)
            {
                Assert.That(all[i].Ids, Is.EqualTo(first[i].Ids), $"batch {batch}: request {all[i].Request} sample {all[i].Sample}");
                Assert.That(all[i].LogProbs, Is.EqualTo(first[i].LogProbs).Using<float>(SameBits), $"batch {batch}");
            }
        }
    }

    // 63 tokens are one longest sequence: the others give their pages up again and again. 12 tokens a pass cut prompts into parts.
    [TestCaseSource(nameof(Cases))]
    public void Completions_do_not_depend_on_the_cache_or_on_how_prompts_are_cut(string backendName, DType dtype)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using TestModel model = TestModel.Load(backend, Qwen, dtype);
        IReadOnlyList<Completion> expected = model.Rollouts(32).Run(model.Parameters, Requests, Options());
        foreach ((int batch, int cache, int pass) in new[] { (1, 63, 1), (6, 63, 12), (6, 150, 1024), (32, 300, 1), (3, 0, 1) })
        {
            RolloutEngine engine = model.Rollouts(batch, cacheTokens: cache, passTokens: pass);
            // Twice: a page that the first run kept would be missing in the second.
            for (int run = 0; run < 2; run++)
            {
                IReadOnlyList<Completion> all = engine.Run(model.Parameters, Requests, Options());
                string what = $"batch {batch}, cache of {cache}, {pass} tokens a pass";
                Assert.That(all.Select(c => (c.Request, c.Sample)), Is.EqualTo(expected.Select(c => (c.Request, c.Sample))), what);
                for (int i = 0; i < all.Count; i++)
                {
                    Assert.That(all[i].Ids, Is.EqualTo(expected[i].Ids), what);
                    Assert.That(all[i].LogProbs, Is.EqualTo(expected[i].LogProbs).Using<float>(SameBits), what);
                }
            }
        }
    }

    [Test]
    public void Sequences_give_their_pages_up_where_the_cache_is_too_small()
    {
        using IBackend backend = TestBackends.Create(TestBackends.Names[0]);
        using TestModel model = TestModel.Load(backend, Qwen, DType.F32);
        RolloutRequest[] requests = [.. Enumerable.Range(0, 8).Select(i => new RolloutRequest([2 + i, 3, 4, 5, 6, 7, 8, 9], i, 1))];
        GenerationOptions options = Options() with { StopIds = [], MaxNewTokens = 56 };
        // 63 tokens each, and room for 128: four begin, and grow out of it.
        RolloutEngine ample = model.Rollouts(8, 8, 56), tight = model.Rollouts(8, 8, 56, cacheTokens: 128);
        IReadOnlyList<Completion> expected = ample.Run(model.Parameters, requests, options), all = tight.Run(model.Parameters, requests, options);
        Assert.That(ample.Counters.PrefillTokens, Is.EqualTo(64));
        Assert.That(tight.Counters.PrefillTokens, Is.InRange(65, 64 + 200), "tokens computed again, but not again and again");
        for (int i = 0; i < all.Count; i++)
        {
            Assert.That(all[i].Ids, Is.EqualTo(expected[i].Ids));
            Assert.That(all[i].LogProbs, Is.EqualTo(expected[i].LogProbs).Using<float>(SameBits));
        }
    }

    [Test]
    [CancelAfter(120_000)]
    public void Any_cache_gets_every_sequence_to_its_end(CancellationToken cancellation)
    {
        using IBackend backend = TestBackends.Create(TestBackends.Names[^1]);
        using TestModel model = TestModel.Load(backend, Qwen, DType.F32);
        var random = new Random(5);
        for (int round = 0; round < 60; round++)
        {
            RolloutRequest[] requests = [.. Enumerable.Range(0, random.Next(1, 9)).Select(i => new RolloutRequest(
                [.. Enumerable.Range(0, random.Next(1, 41)).Select(_ => random.Next(2, 64))], i, random.Next(1, 8), MaxNewTokens: random.Next(1, 25)))];
            GenerationOptions options = Options(seed: (ulong)round) with { StopIds = round % 2 == 0 ? [] : [1, 2, 3] };
            (int batch, int cache, int pass) = (random.Next(1, 13), random.Next(63, 400), random.Next(1, 80));
            IReadOnlyList<Completion> expected = model.Rollouts(64).Run(model.Parameters, requests, options, cancellation);
            IReadOnlyList<Completion> all = model.Rollouts(batch, cacheTokens: cache, passTokens: pass).Run(model.Parameters, requests, options, cancellation);
            string what = $"round {round}: batch {batch}, cache of {cache}, {pass} tokens a pass";
            Assert.That(all.Select(c => (c.Request, c.Sample)), Is.EqualTo(expected.Select(c => (c.Request, c.Sample))), what);
            for (int i = 0; i < all.Count; i++)
            {
                Assert.That(all[i].Ids, Is.EqualTo(expected[i].Ids), what);
                Assert.That(all[i].LogProbs, Is.EqualTo(expected[i].LogProbs).Using<float>(SameBits), what);
            }
        }
    }

    [Test]
    public void A_prompt_that_is_cut_counts_as_prefill_to_its_last_token()
    {
        using IBackend backend = TestBackends.Create(TestBackends.Names[0]);
        using TestModel model = TestModel.Load(backend, Qwen, DType.F32);
        RolloutEngine engine = model.Rollouts(1, passTokens: 13);
        // 13 + 13 + 13 + 1.
        engine.Run(model.Parameters, [new RolloutRequest([.. Enumerable.Repeat(3, 40)], 1, 1)], Options() with { StopIds = [], MaxNewTokens = 5 });
        RolloutCounters counters = engine.Counters;
        Assert.That((counters.PrefillTokens, counters.DecodeSteps, counters.DecodeTokens), Is.EqualTo((40L, 4L, 4L)));
    }

    [TestCaseSource(nameof(Cases))]
    public void Training_recomputes_the_sampled_log_probs_to_the_bit(string backendName, DType dtype)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using TestModel model = TestModel.Load(backend, Qwen, dtype);
        foreach (float temperature in new[] { 1f, 0.7f })
        {
            IReadOnlyList<Completion> all = model.Rollouts(8).Run(model.Parameters, Requests, Options(temperature));
            TrainingRow[] rows = [.. all.Select(c => new TrainingRow
            {
                Ids = [.. Requests[c.Request].PromptIds, .. c.Ids],
                PromptLength = Requests[c.Request].PromptIds.Length,
                OldLogProbs = c.LogProbs,
                Advantage = 1,
            })];
            IReadOnlyList<float[]> scored = model.Scorer.LogProbs(model.Parameters, rows, temperature);
            for (int i = 0; i < rows.Length; i++) Assert.That(scored[i], Is.EqualTo(all[i].LogProbs).Using<float>(SameBits), $"row {i}");
            // One row alone, and all of them in the loss: the same bits again.
            Assert.That(model.Scorer.LogProbs(model.Parameters, [rows[3]], temperature)[0], Is.EqualTo(all[3].LogProbs).Using<float>(SameBits));
            var statistics = new PolicyStatistics();
            model.Updater.Accumulate(model.Parameters, rows, [.. rows.Select(_ => 1f)], new PolicyLossOptions { Temperature = temperature }, statistics);
            Assert.That(statistics.OnPolicy.Tokens, Is.EqualTo(rows.Sum(r => r.ResponseLength)));
            Assert.That(statistics.MaxLogProbDifference, Is.Zero);
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void Filters_change_what_is_drawn_but_not_the_recorded_log_prob(string backendName, DType dtype)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using TestModel model = TestModel.Load(backend, Qwen, dtype);
        RolloutEngine engine = model.Rollouts(8);
        foreach (Completion c in engine.Run(model.Parameters, Requests, Options(topK: 3, topP: 0.9f)))
        {
            for (int i = 0; i < c.Ids.Length; i++) Assert.That(c.SampledLogProbs[i], Is.GreaterThanOrEqualTo(c.LogProbs[i] - 1e-6f), "fewer tokens share the mass");
        }

        foreach (Completion c in engine.Run(model.Parameters, Requests, Options()))
            Assert.That(c.SampledLogProbs, Is.EqualTo(c.LogProbs));
    }

    [Test]
    public void Stop_tokens_and_lengths_end_completions()
    {
        using IBackend backend = TestBackends.Create(TestBackends.Names[0]);
        using TestModel model = TestModel.Load(backend, Qwen, DType.F32);
        RolloutRequest[] requests = [new([2, 3], 1, 40), new([2, 3], 1, 40, MaxNewTokens: 4)];
        foreach (Completion c in model.Rollouts(16).Run(model.Parameters, requests, Options()))
        {
            Assert.That(c.Ids[..^1], Has.None.EqualTo(1));
            Assert.That(c.Finish, Is.EqualTo(c.Ids[^1] == 1 ? FinishReason.Stop : FinishReason.Length));
            Assert.That(c.Ids, Has.Length.LessThanOrEqualTo(c.Request == 0 ? 24 : 4));
            if (c.Finish == FinishReason.Length) Assert.That(c.Ids, Has.Length.EqualTo(c.Request == 0 ? 24 : 4));
        }
    }

    [Test]
    public void A_cancelled_run_leaves_the_engine_whole()
    {
        using IBackend backend = TestBackends.Create(TestBackends.Names[0]);
        using TestModel model = TestModel.Load(backend, Qwen, DType.F32);
        RolloutEngine engine = model.Rollouts(4);
        IReadOnlyList<Completion> expected = engine.Run(model.Parameters, Requests, Options());
        using var source = new CancellationTokenSource();
        int drawn = 0;
        Assert.Throws<OperationCanceledException>(() => engine.Run(model.Parameters, Requests, Options(), _ => { }, (_, _, _) =>
        {
            if (++drawn == 20) source.Cancel();
        }, source.Token));
        Assert.That(engine.Run(model.Parameters, Requests, Options()).Select(c => c.Ids), Is.EqualTo(expected.Select(c => c.Ids)));
    }

    [Test]
    public void Prompts_that_do_not_fit_are_named()
    {
        using IBackend backend = TestBackends.Create(TestBackends.Names[0]);
        using TestModel model = TestModel.Load(backend, Qwen, DType.F32);
        RolloutEngine engine = model.Rollouts(4);
        Assert.That(() => engine.Run(model.Parameters, [new RolloutRequest(new int[41], 1, 1)], Options()), Throws.TypeOf<LuffyException>().With.Message.Contains("41 tokens"));
        Assert.That(() => engine.Run(model.Parameters, [new RolloutRequest([64], 1, 1)], Options()), Throws.TypeOf<LuffyException>().With.Message.Contains("vocabulary of 64"));
        Assert.That(() => engine.Run(model.Parameters, [new RolloutRequest([], 1, 1)], Options()), Throws.TypeOf<LuffyException>());
    }

    private static bool SameBits(float a, float b) => BitConverter.SingleToInt32Bits(a) == BitConverter.SingleToInt32Bits(b);
}
