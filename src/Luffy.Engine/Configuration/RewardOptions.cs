namespace Luffy.Engine.Configuration;

/// <summary>How rows are scored and what advantage they get.</summary>
public sealed record RewardOptions
{
    /// <summary>Names of the rewards that are added up.</summary>
    public IReadOnlyList<string> RewardFuncs { get; init; } = ["math"];

    /// <summary>The weight of each of reward_funcs; null means 1 each.</summary>
    public IReadOnlyList<double>? RewardWeights { get; init; }

    /// <summary>The mean that advantages are measured from.</summary>
    public AdvantageBaseline AdvantageBaseline { get; init; }

    /// <summary>What advantages are divided by; the published LUFFY run divides by nothing.</summary>
    public RewardScaling ScaleRewards { get; init; }

    /// <summary>Give completions that were cut off at max_completion_length no part in the loss.</summary>
    public bool MaskTruncatedCompletions { get; init; }
}
