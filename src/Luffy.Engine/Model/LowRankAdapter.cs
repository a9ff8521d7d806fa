namespace Luffy.Engine.Model;

/// <summary>The adapter's part of one projection.</summary>
/// <param name="B">[n, r].</param>
/// <param name="Start">The projection's first column in the output of the merged matrix.</param>
public readonly record struct LowRankProjection(Parameter B, long Start);

/// <summary>The adapters of projections that read the same input and are one matrix here.</summary>
/// <param name="A">[m·r, in]: the m adapters' A, one below the other.</param>
/// <param name="Projections">The m projections, in the order of <paramref name="A"/>.</param>
public sealed record LowRankAdapter(Parameter A, IReadOnlyList<LowRankProjection> Projections);

/// <summary>Adapters of one layer's matrices; null where a matrix has none.</summary>
public sealed record LayerAdapters(LowRankAdapter? Qkv, LowRankAdapter? Output, LowRankAdapter? GateUp, LowRankAdapter? Down)
{
    /// <summary>Those that there are.</summary>
    public IEnumerable<LowRankAdapter> All => new[] { Qkv, Output, GateUp, Down }.OfType<LowRankAdapter>();

    /// <summary>A layer without any.</summary>
    public static LayerAdapters None { get; } = new(null, null, null, null);
}
