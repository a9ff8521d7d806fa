using Luffy.Engine.Configuration;

namespace Luffy.Engine.Benchmarks;

/// <summary>Where and how often to measure.</summary>
public sealed record BenchmarkOptions
{
    /// <summary>Backend, storage type, threads.</summary>
    public required ModelOptions Model { get; init; }

    /// <summary>Repetitions before the first that counts.</summary>
    public int Warmup { get; init; } = 1;

    /// <summary>Repetitions that count; their median is reported.</summary>
    public int Repeat { get; init; } = 5;
}
