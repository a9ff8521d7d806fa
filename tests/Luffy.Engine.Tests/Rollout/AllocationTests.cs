using Luffy.Engine.Model;
using Luffy.Engine.Rl;
using Luffy.Engine.Rollout;
using Luffy.Engine.Tests.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Rollout;

/// <summary>Nothing allocates device memory after start-up, and no managed memory is allocated per token.</summary>
[TestFixture]
public sealed class AllocationTests
{
    // At once, with samples that start late, and in a cache that is too small for all.
    [TestCase(16, 0)]
    [TestCase(6, 0)]
    [TestCase(16, 128)]
    [TestCase(16, 0, "qwen2", true)]
    [TestCase(16, 0, "qwen3")]
    public void A_token_costs_no_managed_memory(int batch, int cacheTokens, string architecture = "qwen2", bool adapters = false)
    {
        using IBackend backend = TestBackends.Create("cpu-avx2");
        using TestModel model = TestModel.Load(backend, ModelFixture.All.Single(m => m.Name == architecture), DType.F32,
            adapters: adapters ? new LowRankConfig(2, 4, false, LowRankConfig.AllTargets) : null);
        RolloutEngine engine = model.Rollouts(batch, cacheTokens: cacheTokens);
        RolloutRequest[] requests = [new RolloutRequest([2, 3, 4], 1, 16)];
        long shortRun = Allocated(4), longRun = Allocated(24);
        // 16 × 20 tokens more. The completions themselves grow (an id and two log-probs a token); nothing else may.
        Assert.That(longRun - shortRun, Is.LessThanOrEqualTo(16 * 20 * 12));

        long Allocated(int tokens)
        {
            // A stop id that cannot be drawn: every sequence runs to its full length.
            var options = new GenerationOptions { Sampling = new SamplingOptions(1, 0, 1, 0, 7), StopIds = [-1], MaxNewTokens = tokens };
            int drawn = 0;
            long bytes = long.MaxValue;
            // The least of several runs: the runtime allocates on a caller's account when it compiles a method anew.
            for (int i = 0; i < 4; i++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                engine.Run(model.Parameters, requests, options, c => drawn += c.Ids.Length);
                bytes = Math.Min(bytes, GC.GetAllocatedBytesForCurrentThread() - before);
            }

            Assert.That(drawn, Is.EqualTo(4 * 16 * tokens));
            return bytes;
        }
    }

    [Test]
    public void Training_and_sampling_allocate_no_device_memory()
    {
        using var backend = new CountingBackend(TestBackends.Create("cpu-avx2"));
        using TestModel model = TestModel.Load(backend, ModelFixture.All[1], DType.Bf16);
        RolloutEngine engine = model.Rollouts(4);
        int atStart = backend.Allocations;
        Assert.That(atStart, Is.GreaterThan(5), "the count counts");
        var options = new GenerationOptions { Sampling = new SamplingOptions(1, 0, 1, 0, 7), StopIds = [1], MaxNewTokens = 12 };
        IReadOnlyList<Completion> completions = engine.Run(model.Parameters, [new RolloutRequest([2, 3, 4], 1, 9)], options);
        TrainingRow[] rows = [.. completions.Select(c => new TrainingRow { Ids = [2, 3, 4, .. c.Ids], PromptLength = 3, OldLogProbs = c.LogProbs, Advantage = 1 })];
        model.Scorer.LogProbs(model.Parameters, rows);
        model.Updater.Accumulate(model.Parameters, rows, [.. rows.Select(_ => 1f)], new PolicyLossOptions(), new PolicyStatistics());
        Assert.That(backend.Allocations, Is.EqualTo(atStart));
    }

    private sealed class CountingBackend(IBackend inner) : IBackend
    {
        public int Allocations { get; private set; }
        public string Name => inner.Name;
        public string Description => inner.Description;
        public int Threads => inner.Threads;
        public bool BatchInvariant => inner.BatchInvariant;
        public DType PreferredDType => inner.PreferredDType;
        public long WorkspaceBytes => inner.WorkspaceBytes;
        public IEmbedding Embedding => inner.Embedding;
        public ILinear Linear => inner.Linear;
        public IRmsNorm RmsNorm => inner.RmsNorm;
        public IRope Rope => inner.Rope;
        public IAttention Attention => inner.Attention;
        public ISwiGlu SwiGlu => inner.SwiGlu;

        public IColumns Columns => inner.Columns;
        public IPolicyLoss PolicyLoss => inner.PolicyLoss;
        public ISampling Sampling => inner.Sampling;
        public IAdamW AdamW => inner.AdamW;

        public long? FreeDeviceBytes => inner.FreeDeviceBytes;

        public DeviceBuffer Allocate(string name, long bytes, MemoryPlace place = MemoryPlace.Device)
        {
            Allocations++;
            return inner.Allocate(name, bytes, place);
        }

        public void Zero(in Tensor tensor) => inner.Zero(tensor);

        public void Copy(in Tensor destination, in Tensor source) => inner.Copy(destination, source);

        public void Upload<T>(in Tensor destination, ReadOnlySpan<T> source) where T : unmanaged => inner.Upload(destination, source);

        public void Download<T>(in Tensor source, Span<T> destination) where T : unmanaged => inner.Download(source, destination);

        public void Synchronize() => inner.Synchronize();

        public double? MeasureArithmetic(DType dtype) => inner.MeasureArithmetic(dtype);

        public double? MeasureBandwidth() => inner.MeasureBandwidth();

        public void Dispose() => inner.Dispose();
    }
}
