using Luffy.Engine.Model;
using Luffy.Engine.Rollout;
using Luffy.Kernels;

namespace Luffy.Engine.Benchmarks;

/// <summary>Times the rollout engine on random weights: distinct prompts, every completion at its full length, temperature 1.</summary>
public static class GenerationBenchmark
{
    /// <summary>Decoding: tokens drawn after the first of each row, over the time of the decoding steps; prefill is left out.</summary>
    /// <param name="size">The model.</param>
    /// <param name="batch">Sequences at once.</param>
    /// <param name="prompt">Tokens of each prompt.</param>
    /// <param name="fresh">New tokens of each sequence; at least 2, because prefill draws the first.</param>
    /// <param name="options">Where and how often.</param>
    /// <exception cref="LuffyException">The backend is not to be had, or the memory is not there.</exception>
    public static BenchmarkReport Decode(BenchmarkSize size, int batch, int prompt, int fresh, BenchmarkOptions options)
    {
        using var run = new Run(size, batch, prompt, fresh, options);
        RolloutCounters last = new();
        double[] seconds = Stopwatches.Measure(options, () => (last = run.Once()).DecodeSeconds);
        return run.Report("rollout", [new("batch", batch), new("prompt", prompt), new("new", fresh)], seconds, last.DecodeTokens,
            2.0 * run.Layout.ParameterCount * last.DecodeTokens, "2 operations for each parameter and token",
            (double)run.Layout.ParameterCount * run.DType.Size() * last.DecodeSteps);
    }

    /// <summary>Prefill: the tokens of one prompt over the time to its first logits.</summary>
    /// <param name="size">The model.</param>
    /// <param name="prompt">Tokens of the prompt.</param>
    /// <param name="options">Where and how often.</param>
    /// <exception cref="LuffyException">The backend is not to be had, or the memory is not there.</exception>
    public static BenchmarkReport Prefill(BenchmarkSize size, int prompt, BenchmarkOptions options)
    {
        using var run = new Run(size, 1, prompt, 1, options);
        double[] seconds = Stopwatches.Measure(options, () => run.Once().PrefillSeconds);
        long head = run.Layout.Head.Length, body = run.Layout.ParameterCount - head;
        return run.Report("prefill", [new("prompt", prompt)], seconds, prompt, (2.0 * body * prompt) + (2.0 * head),
            "2 operations for each parameter and token, the head once", (double)run.Layout.ParameterCount * run.DType.Size());
    }

    private sealed class Run : IDisposable
    {
        private readonly BenchmarkSize _size;
        private readonly IBackend _backend;
        private readonly TransformerModel _model;
        private readonly ParameterSet _parameters;
        private readonly DeviceBuffer _arena;
        private readonly RolloutEngine _engine;
        private readonly RolloutRequest[] _requests;
        private readonly int _fresh;

        public Run(BenchmarkSize size, int batch, int prompt, int fresh, BenchmarkOptions options)
        {
            (_size, _fresh) = (size, fresh);
            _backend = EngineBackend.Open(options.Model.Backend, options.Model.Threads, options.Model.AllowEmulator, options.Model.Fast);
            DType = options.Model.Dtype.Resolve(_backend);
            Layout = new ParameterLayout(size.Architecture);
            var plan = new RolloutPlan(batch, prompt, fresh);
            ActivationPlan activations = plan.Activations(_backend, size.Architecture, DType);
            ProcessMemory.RequireAvailable(_backend, ParameterSet.Plan(_backend, Layout, DType, ParameterUse.Inference).Sum(c => c.Bytes) + activations.Bytes +
                KvCache.Bytes(_backend, size.Architecture, DType, plan.CachePages));
            var random = new RandomModel(1);
            _model = new TransformerModel(_backend, size.Architecture, prompt + fresh);
            _parameters = new ParameterSet(_backend, Layout, DType, ParameterUse.Inference);
            random.Fill(_parameters);
            _arena = _backend.Allocate("activations", activations.Bytes);
            _engine = new RolloutEngine(_backend, _model, DType, plan, _arena);
            _requests = [.. Enumerable.Range(0, batch).Select(i => new RolloutRequest(random.Ids(prompt, size.Architecture.VocabularySize), i, 1))];
        }

        public ParameterLayout Layout { get; }

        public DType DType { get; }

        public RolloutCounters Once()
        {
            var options = new GenerationOptions { Sampling = new SamplingOptions(1, 0, 1, 0, 7), StopIds = [], MaxNewTokens = _fresh };
            RolloutCounters before = _engine.Counters;
            _engine.Run(_parameters, _requests, options, _ => { });
            return _engine.Counters - before;
        }

        public BenchmarkReport Report(string name, IReadOnlyList<KeyValuePair<string, long>> shape, double[] seconds, long tokens, double operations, string counted,
            double bytes)
        {
            // Before the bandwidth is measured, which needs memory of its own.
            long peak = ProcessMemory.PeakBytes;
            return new BenchmarkReport
            {
                Benchmark = name,
                Size = _size.Name,
                Parameters = Layout.ParameterCount,
                Backend = _backend.Name,
                Device = _backend.Description,
                Dtype = DType.Name(),
                Threads = _backend.Threads,
                Shape = shape,
                Seconds = seconds,
                Tokens = tokens,
                Operations = operations,
                Counted = counted,
                BytesRead = bytes,
                PeakMemoryBytes = peak,
                PeakOperations = _backend.MeasureArithmetic(DType),
                Bandwidth = _backend.MeasureBandwidth(),
            };
        }

        public void Dispose()
        {
            _engine.Dispose();
            _arena.Dispose();
            _parameters.Dispose();
            _model.Dispose();
            _backend.Dispose();
        }
    }
}
