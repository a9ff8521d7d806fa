namespace Luffy.Engine.Configuration;

/// <summary>Replay of the policy's own past successes (ExGRPO, arXiv 2510.02245). Defaults are those of the published run, but for experience_ratio.</summary>
public sealed record ExperienceOptions
{
    /// <summary>
    /// The share of a step's prompts that are taken from the store of past successes (0.5 in ExGRPO): one row of such a prompt's group is a stored
    /// success, whose tokens are off-policy and have behavior_reshape's weight, the others are sampled. 0 means none, and no store.
    /// </summary>
    [Bounds(Minimum = 0, Maximum = 1, BelowMaximum = true)]
    public double ExperienceRatio { get; init; }

    /// <summary>Successes are stored, and replayed, from the step on that follows the first with a larger share of correct samples than this.</summary>
    [Bounds(Minimum = 0, Maximum = 1, BelowMaximum = true)]
    public double ExperienceStart { get; init; } = 0.35;

    /// <summary>
    /// σ: a prompt solved with accuracy a when it last came is replayed in proportion to exp(−(a − ½)² / 2σ²). An eighth is the authors' code, one row
    /// of a group of eight.
    /// </summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double ExperienceDeviation { get; init; } = 0.125;

    /// <summary>Room of the store, in tokens of 8 bytes, each stored success taking 24 more; the oldest give way. It lies in the host's memory.</summary>
    [Bounds(Minimum = 1)]
    public int ExperienceTokens { get; init; } = 1 << 24;
}
