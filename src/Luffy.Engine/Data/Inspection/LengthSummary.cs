namespace Luffy.Engine.Data.Inspection;

/// <summary>Percentiles of lengths: nearest rank, so each is a length that occurs.</summary>
/// <param name="Count">How many there are.</param>
/// <param name="Min">The shortest.</param>
/// <param name="P50">The median.</param>
/// <param name="P90">Nine in ten are at most as long.</param>
/// <param name="P99">Ninety-nine in a hundred are.</param>
/// <param name="Max">The longest.</param>
/// <param name="Total">All together.</param>
public sealed record LengthSummary(long Count, int Min, int P50, int P90, int P99, int Max, long Total)
{
    /// <summary>Of some lengths; null where there are none.</summary>
    public static LengthSummary? Of(List<int> lengths)
    {
        ArgumentNullException.ThrowIfNull(lengths);
        if (lengths.Count == 0) return null;
        lengths.Sort();
        int At(double share) => lengths[Math.Max(0, (int)Math.Ceiling(share * lengths.Count) - 1)];
        return new LengthSummary(lengths.Count, lengths[0], At(0.5), At(0.9), At(0.99), lengths[^1], lengths.Sum(length => (long)length));
    }
}
