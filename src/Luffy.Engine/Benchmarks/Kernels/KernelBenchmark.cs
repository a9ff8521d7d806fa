using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Luffy.Engine.Configuration;
using Luffy.Kernels;

namespace Luffy.Engine.Benchmarks.Kernels;

/// <summary>What one case came to.</summary>
/// <param name="Case">What ran.</param>
/// <param name="Seconds">One call, in the median of several groups of calls.</param>
/// <param name="ScratchBytes">Memory that the operation asked for beside its operands and results.</param>
public readonly record struct KernelResult(KernelCase Case, double Seconds, long ScratchBytes);

/// <summary>Every kernel at the shapes of training and decoding, beside what the machine can do at best.</summary>
public sealed record KernelBenchmark
{
    // Long enough for the clock, short enough that another program disturbs some groups and not all.
    private const double SecondsPerGroup = 0.01;

    /// <summary>Rows of operations that memory limits where nothing else is asked for.</summary>
    public const int StandardTokens = 4096;

    /// <summary>What it ran on.</summary>
    public required string Backend { get; init; }

    /// <summary>What the backend runs on.</summary>
    public required string Device { get; init; }

    /// <summary>Threads.</summary>
    public required int Threads { get; init; }

    /// <summary>Measured arithmetic by storage type, operations a second; null where the backend cannot tell.</summary>
    public required IReadOnlyDictionary<DType, double?> PeakOperations { get; init; }

    /// <summary>Measured read bandwidth, bytes a second; null where the backend cannot tell.</summary>
    public required double? Bandwidth { get; init; }

    /// <summary>One entry a case.</summary>
    public required IReadOnlyList<KernelResult> Results { get; init; }

    /// <summary>Every case in a storage type.</summary>
    /// <param name="dtype">The storage type.</param>
    /// <param name="tokens">Rows of operations that memory limits; with few, a large GPU computes in its cache, and launching shows.</param>
    public static IEnumerable<KernelCase> Cases(DType dtype, int tokens = StandardTokens) =>
    [
        .. LinearCases.All(dtype), .. AttentionCases.All(dtype), .. PolicyLossCases.All(dtype), .. ElementwiseCases.RmsNorm(dtype, tokens),
        .. ElementwiseCases.SwiGlu(dtype, tokens), .. ElementwiseCases.Rope(dtype, tokens), .. ElementwiseCases.Columns(dtype, tokens),
        .. ElementwiseCases.Embedding(dtype, tokens),
        .. ElementwiseCases.AdamW(dtype), .. ElementwiseCases.Sampling(dtype),
    ];

    /// <summary>Cases for a GPU, likewise.</summary>
    /// <param name="dtype">The storage type.</param>
    /// <param name="tokens">Rows of operations that memory limits.</param>
    public static IEnumerable<KernelCase> Large(DType dtype, int tokens = StandardTokens) => LargeCases.All(dtype, tokens);

    /// <summary>Measures the cases whose name holds a text.</summary>
    /// <param name="filter">The text; empty for all.</param>
    /// <param name="tokens">Rows of operations that memory limits.</param>
    /// <param name="large">Whether the cases are those for a GPU.</param>
    /// <param name="options">Where, and how many groups of calls; storage type auto means both.</param>
    /// <exception cref="LuffyException">The backend is not to be had, or no case has such a name.</exception>
    public static KernelBenchmark Run(string filter, int tokens, bool large, BenchmarkOptions options)
    {
        DType[] dtypes = options.Model.Dtype switch { StorageType.F32 => [DType.F32], StorageType.Bf16 => [DType.Bf16], _ => [DType.F32, DType.Bf16] };
        KernelCase[] cases = [.. dtypes.SelectMany(d => large ? Large(d, tokens) : Cases(d, tokens)).Where(c => c.Name.Contains(filter, StringComparison.OrdinalIgnoreCase))];
        if (cases.Length == 0)
            throw LuffyException.Usage($"no kernel has a name that holds '{filter}'; names are like '{LinearCases.All(DType.F32).First().Name}'");
        using IBackend backend = EngineBackend.Open(options.Model.Backend, options.Model.Threads, options.Model.AllowEmulator, options.Model.Fast);
        return new KernelBenchmark
        {
            Backend = backend.Name,
            Device = backend.Description,
            Threads = backend.Threads,
            PeakOperations = dtypes.ToDictionary(d => d, backend.MeasureArithmetic),
            Bandwidth = backend.MeasureBandwidth(),
            Results = [.. cases.Select(c => Time(backend, c, options))],
        };
    }

    /// <summary>One object for scripts, with an array of kernels.</summary>
    public JsonObject ToJson() => new()
    {
        ["benchmark"] = "kernels",
        ["backend"] = Backend,
        ["device"] = Device,
        ["threads"] = Threads,
        ["peak_gflops"] = new JsonObject(PeakOperations.Select(p => KeyValuePair.Create(p.Key.Name(), (JsonNode?)(p.Value * 1e-9)))),
        ["bandwidth_gigabytes_per_second"] = Bandwidth * 1e-9,
        ["peak_memory_bytes"] = ProcessMemory.PeakBytes,
        ["kernels"] = new JsonArray([.. Results.Select(r => (JsonNode)new JsonObject
        {
            ["operation"] = r.Case.Operation,
            ["kind"] = r.Case.Kind,
            ["shape"] = r.Case.Shape,
            ["dtype"] = r.Case.DType.Name(),
            ["seconds"] = r.Seconds,
            ["gflops"] = Rate(r.Case.Operations, r.Seconds),
            ["percent_of_peak"] = 100e9 * Rate(r.Case.Operations, r.Seconds) / PeakOperations[r.Case.DType],
            ["gigabytes_per_second"] = Rate(r.Case.Bytes, r.Seconds),
            ["percent_of_bandwidth"] = 100e9 * Rate(r.Case.Bytes, r.Seconds) / Bandwidth,
            ["scratch_bytes"] = r.ScratchBytes,
        })]),
    };

    /// <summary>A Markdown table for people.</summary>
    public IEnumerable<string> Lines()
    {
        CultureInfo c = CultureInfo.InvariantCulture;
        yield return Device + string.Concat(PeakOperations.Select(p => string.Create(c, $"; measured peak {p.Value * 1e-9:0} GFLOP/s {p.Key.Name()}"))) +
            string.Create(c, $"; read bandwidth {Bandwidth * 1e-9:0.0} GB/s");
        yield return "| operation | shape | storage | ms | rate | of peak |";
        yield return "| --- | --- | --- | --- | --- | --- |";
        foreach (KernelResult r in Results)
        {
            bool arithmetic = r.Case.Operations > 0;
            double? limit = arithmetic ? PeakOperations[r.Case.DType] : Bandwidth;
            double rate = (arithmetic ? r.Case.Operations : r.Case.Bytes) / r.Seconds;
            yield return string.Create(c, $"| {r.Case.Operation} {r.Case.Kind} | {r.Case.Shape} | {r.Case.DType.Name()} | {r.Seconds * 1e3:0.000} | ") +
                (arithmetic ? string.Create(c, $"{rate * 1e-9:0} GFLOP/s") : string.Create(c, $"{rate * 1e-9:0.0} GB/s")) +
                string.Create(c, $" | {(limit is null ? "" : $"{100 * rate / limit:0}%")} |");
        }
    }

    private static double? Rate(double amount, double seconds) => amount > 0 ? amount / seconds * 1e-9 : null;

    private static KernelResult Time(IBackend backend, KernelCase kernel, BenchmarkOptions options)
    {
        using var memory = new KernelMemory(backend);
        Action call = kernel.Prepare(memory);
        call();
        int calls = Math.Max(1, (int)(SecondsPerGroup / Seconds(1)));
        return new KernelResult(kernel, BenchmarkReport.Median(Stopwatches.Measure(options, () => Seconds(calls) / calls)), memory.ScratchBytes);

        double Seconds(int count)
        {
            long begin = Stopwatch.GetTimestamp();
            for (int i = 0; i < count; i++) call();
            backend.Synchronize();
            return Stopwatch.GetElapsedTime(begin).TotalSeconds;
        }
    }
}
