namespace Luffy.Engine.Configuration;

/// <summary>How demonstrations take part in reinforcement learning.</summary>
public sealed record GuidanceOptions
{
    /// <summary>Demonstration rows of a group: 1 for luffy and 0 for the other methods unless given. (Imitation uses them all in any case.)</summary>
    [Bounds(Minimum = 0)]
    public int NumDemonstrations { get; init; }

    /// <summary>Leave out demonstrations that the verifier judges wrong; false keeps them, and their advantage pushes them down.</summary>
    public bool DropWrongDemonstrations { get; init; } = true;

    /// <summary>Use the demonstration only in groups with at most this many correct samples; null means in all.</summary>
    [Bounds(Minimum = 0)]
    public int? DemonstrationGate { get; init; }

    /// <summary>
    /// A group that demonstration_gate gives its demonstrations learns from them alone, each with advantage 1: its samples take no part in the
    /// loss or its denominators. With off_policy_reshape logp that is HPT's choice between imitation and reinforcement learning (arXiv
    /// 2509.04419), where both share one normaliser.
    /// </summary>
    public bool DemonstrationSwitch { get; init; }

    /// <summary>
    /// Whenever none of the samples of this many prompts was right, their demonstrations are imitated in an update of their own, with
    /// sft_learning_rate (ReLIFT, arXiv 2506.07527); null means never. Prompts wait for it over steps.
    /// </summary>
    [Bounds(Minimum = 1)]
    public int? ImitateFailedEvery { get; init; }

    /// <summary>
    /// Demonstrations take part from this share of the training on, measured as the learning rate's schedule is; before it groups are samples
    /// alone, so that what the policy can find by itself it learns in its own words.
    /// </summary>
    [Bounds(Minimum = 0, Maximum = 1, BelowMaximum = true)]
    public double DemonstrationStart { get; init; }

    /// <summary>Let some samples continue the beginning of the demonstration; its tokens are off-policy, the rest on-policy.</summary>
    public PrefixStrategy PrefixStrategy { get; init; }

    /// <summary>The smallest share of the demonstration's tokens that is given as a prefix.</summary>
    [Bounds(Minimum = 0, Maximum = 1)]
    public double MinPrefixRatio { get; init; }

    /// <summary>The largest share of the demonstration's tokens that is given as a prefix.</summary>
    [Bounds(Minimum = 0, Maximum = 1)]
    public double MaxPrefixRatio { get; init; } = 0.9;

    /// <summary>Give each prefix a share drawn uniformly from what prefix_strategy says up to max_prefix_ratio, as Prefix-RFT does (arXiv 2507.01679).</summary>
    public bool PrefixUniform { get; init; }

    /// <summary>
    /// Of the prefixes' tokens of a step, learn from this share alone, that of the largest entropy of the policy; the others stay in the denominators.
    /// 0.2 in Prefix-RFT (arXiv 2507.01679), whose code chooses within a micro-batch. null means from all. Costs a forward pass over the rows with a prefix.
    /// </summary>
    [Bounds(Minimum = 0, AboveMinimum = true, Maximum = 1)]
    public double? PrefixTopEntropy { get; init; }

    /// <summary>Sampled rows of a group that continue a prefix.</summary>
    [Bounds(Minimum = 1)]
    public int PrefixRows { get; init; } = 1;
}
