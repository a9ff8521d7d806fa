namespace Luffy.Engine.Configuration;

/// <summary>
/// TRAPO's micro-groups (arXiv 2512.17636): a group is sampled in several rounds, and a round that follows failures continues a prefix of the
/// demonstration. Defaults are those of the authors' code, but for micro_groups.
/// </summary>
public sealed record MicroGroupOptions
{
    /// <summary>
    /// Rows of each round ([4, 2, 1, 1] in TRAPO), together num_generations; the first has no prefix. Empty means that a group is sampled at once.
    /// </summary>
    public IReadOnlyList<int> MicroGroups { get; init; } = [];

    /// <summary>The share of the demonstration that each later round is given, where it is given any; 1 puts the whole in the place of samples.</summary>
    public IReadOnlyList<double> MicroGroupPrefixRatios { get; init; } = [0.25, 0.5, 1];

    /// <summary>A later round is given its prefix where fewer rows than this were correct in the rounds before it.</summary>
    public IReadOnlyList<int> MicroGroupThresholds { get; init; } = [2, 4, 7];

    /// <summary>True where groups are sampled in rounds.</summary>
    public bool HasRounds() => MicroGroups.Count > 0;

    /// <summary>Checks what no key can check alone.</summary>
    /// <param name="groupSize">num_generations.</param>
    /// <exception cref="LuffyException">Lists do not fit each other.</exception>
    public void Validate(int groupSize)
    {
        if (!HasRounds()) return;
        if (MicroGroups.Any(rows => rows < 1) || MicroGroups.Sum() != groupSize)
            throw LuffyException.Usage($"micro_groups [{string.Join(", ", MicroGroups)}] must have at least one row each and num_generations ({groupSize}) together.");
        int later = MicroGroups.Count - 1;
        if (MicroGroupPrefixRatios.Count != later || MicroGroupThresholds.Count != later)
        {
            throw LuffyException.Usage($"micro_group_prefix_ratios ({MicroGroupPrefixRatios.Count}) and micro_group_thresholds ({MicroGroupThresholds.Count}) " +
                $"need one number for each of the {later} micro-groups after the first.");
        }

        if (MicroGroupPrefixRatios.Any(r => r is not (> 0 and <= 1)))
            throw LuffyException.Usage($"micro_group_prefix_ratios [{string.Join(", ", MicroGroupPrefixRatios)}] must be larger than 0 and at most 1.");
    }
}
