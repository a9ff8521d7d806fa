using System.Globalization;
using System.Text.Json.Nodes;
using Luffy.Engine.Rl;

namespace Luffy.Engine.Benchmarks;

/// <summary>What a benchmark of a whole model came to.</summary>
public sealed record BenchmarkReport
{
    /// <summary>train, rollout or prefill.</summary>
    public required string Benchmark { get; init; }

    /// <summary>Name of the model's size.</summary>
    public required string Size { get; init; }

    /// <summary>Parameters of the model (N), those of the tied head once.</summary>
    public required long Parameters { get; init; }

    /// <summary>Name of the backend.</summary>
    public required string Backend { get; init; }

    /// <summary>What the backend runs on.</summary>
    public required string Device { get; init; }

    /// <summary>Storage type.</summary>
    public required string Dtype { get; init; }

    /// <summary>Threads.</summary>
    public required int Threads { get; init; }

    /// <summary>Sequences and their lengths, by name.</summary>
    public required IReadOnlyList<KeyValuePair<string, long>> Shape { get; init; }

    /// <summary>Seconds of each repetition.</summary>
    public required IReadOnlyList<double> Seconds { get; init; }

    /// <summary>Tokens of one repetition.</summary>
    public required long Tokens { get; init; }

    /// <summary>Floating-point operations of one repetition by the arithmetic count that <see cref="Counted"/> names.</summary>
    public required double Operations { get; init; }

    /// <summary>How the operations are counted, for people.</summary>
    public required string Counted { get; init; }

    /// <summary>Bytes of weights read in one repetition, each step reading them once; null where arithmetic is the limit.</summary>
    public double? BytesRead { get; init; }

    /// <summary>Largest resident set of the process, in bytes, before the machine itself was measured.</summary>
    public required long PeakMemoryBytes { get; init; }

    /// <summary>The machine's measured arithmetic, operations a second; null where the backend cannot tell.</summary>
    public required double? PeakOperations { get; init; }

    /// <summary>The machine's measured read bandwidth, bytes a second; null where the backend cannot tell or it was not asked.</summary>
    public double? Bandwidth { get; init; }

    /// <summary>Seconds of the repetition in the middle.</summary>
    public double MedianSeconds => Median(Seconds);

    /// <summary>Tokens a second of the repetition in the middle.</summary>
    public double TokensPerSecond => Tokens / MedianSeconds;

    /// <summary>GFLOP/s of the repetition in the middle.</summary>
    public double Gflops => Operations / MedianSeconds * 1e-9;

    /// <summary>Share of the machine's measured arithmetic, in percent.</summary>
    public double? PercentOfPeak => 100 * Operations / MedianSeconds / PeakOperations;

    /// <summary>GB/s of weights read.</summary>
    public double? GigabytesPerSecond => BytesRead / MedianSeconds * 1e-9;

    /// <summary>Share of the machine's measured read bandwidth, in percent.</summary>
    public double? PercentOfBandwidth => 100 * BytesRead / MedianSeconds / Bandwidth;

    /// <summary>The value in the middle; the mean of two where their number is even.</summary>
    public static double Median(IReadOnlyList<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>One object for scripts.</summary>
    public JsonObject ToJson()
    {
        var json = new JsonObject
        {
            ["benchmark"] = Benchmark,
            ["size"] = Size,
            ["parameters"] = Parameters,
            ["backend"] = Backend,
            ["device"] = Device,
            ["dtype"] = Dtype,
            ["threads"] = Threads,
        };
        foreach ((string name, long value) in Shape) json[name] = value;
        json["tokens"] = Tokens;
        json["seconds"] = new JsonArray([.. Seconds.Select(s => (JsonNode)s)]);
        json["tokens_per_second"] = TokensPerSecond;
        json["best_tokens_per_second"] = Tokens / Seconds.Min();
        json["gflops"] = Gflops;
        json["peak_gflops"] = PeakOperations * 1e-9;
        json["percent_of_peak"] = PercentOfPeak;
        if (BytesRead is not null)
        {
            json["gigabytes_per_second"] = GigabytesPerSecond;
            json["bandwidth_gigabytes_per_second"] = Bandwidth * 1e-9;
            json["percent_of_bandwidth"] = PercentOfBandwidth;
        }

        json["peak_memory_bytes"] = PeakMemoryBytes;
        return json;
    }

    /// <summary>A few lines for people.</summary>
    public IEnumerable<string> Lines()
    {
        CultureInfo c = CultureInfo.InvariantCulture;
        yield return string.Create(c, $"{Benchmark} {Size}, {Parameters / 1e6:0.0} million parameters, {Dtype}: {string.Join(", ", Shape.Select(s => $"{s.Key} {s.Value}"))}");
        yield return Device;
        yield return string.Create(c, $"{Digits(TokensPerSecond)} tokens/s (best {Digits(Tokens / Seconds.Min())}), {MedianSeconds * 1e3:0.0} ms, median of {Seconds.Count}");
        yield return string.Create(c, $"{Gflops:0} GFLOP/s by {Counted}") + (PeakOperations is { } peak
            ? string.Create(c, $", {PercentOfPeak:0.0}% of the measured peak of {peak * 1e-9:0}")
            : "; this backend knows no peak");
        if (BytesRead is not null)
        {
            yield return string.Create(c, $"{GigabytesPerSecond:0.0} GB/s of weights") + (Bandwidth is { } bandwidth
                ? string.Create(c, $", {PercentOfBandwidth:0.0}% of the measured read bandwidth of {bandwidth * 1e-9:0.0}")
                : "; this backend knows no bandwidth");
        }

        yield return $"peak memory {MemoryPlan.Megabytes(PeakMemoryBytes)}";
    }

    private static string Digits(double rate) => rate.ToString(rate < 100 ? "0.0" : "#,0", CultureInfo.InvariantCulture);
}
