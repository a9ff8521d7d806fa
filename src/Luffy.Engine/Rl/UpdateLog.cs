using Luffy.Engine.Optim;

namespace Luffy.Engine.Rl;

/// <summary>The updates of one step, in order.</summary>
internal sealed class UpdateLog
{
    /// <summary>One update.</summary>
    /// <param name="Statistics">Sums over its tokens.</param>
    /// <param name="Result">Gradient norm, and whether it was applied.</param>
    /// <param name="OffPolicyNorm">Gradient norm of the rows with demonstration tokens alone, where it was measured.</param>
    public sealed record Entry(PolicyStatistics Statistics, UpdateResult Result, double? OffPolicyNorm);

    private readonly List<Entry> _entries = [];

    public IReadOnlyList<Entry> Entries => _entries;

    /// <summary>Of the first update: its log-probs are those of the policy that sampled. Empty sums where there was none.</summary>
    public PolicyStatistics First => _entries.Count > 0 ? _entries[0].Statistics : new PolicyStatistics();

    public void Add(PolicyStatistics statistics, UpdateResult result, double? offPolicyNorm) => _entries.Add(new Entry(statistics, result, offPolicyNorm));
}
