namespace Luffy.Engine.Configuration;

/// <summary>How the policy is trained.</summary>
public enum TrainingMethod
{
    /// <summary>Sampled answers and demonstrations in one group, demonstrations weighted by shaped importance sampling.</summary>
    Luffy,

    /// <summary>Sampled answers only.</summary>
    Grpo,

    /// <summary>Imitation of the demonstrations by cross-entropy.</summary>
    Sft,

    /// <summary>Imitation first, then reinforcement learning from where it ended.</summary>
    SftThenRl,
}

/// <summary>How numbers are stored; sums, losses and master weights are F32 either way.</summary>
public enum StorageType
{
    /// <summary>Bf16 where the backend computes with it faster, else F32.</summary>
    Auto,

    /// <summary>32-bit floating point.</summary>
    F32,

    /// <summary>bfloat16, with master weights in F32.</summary>
    Bf16,
}

/// <summary>How the gradients of the layers' matrices are stored.</summary>
public enum GradientStorage
{
    /// <summary>32-bit floating point.</summary>
    F32,

    /// <summary>bfloat16: an f32 sum over one forward and backward pass, rounded once.</summary>
    Bf16,
}

/// <summary>How Adam's moments are stored.</summary>
public enum MomentStorage
{
    /// <summary>32-bit floating point.</summary>
    F32,

    /// <summary>bfloat16, rounded up or down by chance so that small changes are not lost.</summary>
    Bf16,
}

/// <summary>How the learning rate goes over the steps; all but <see cref="Constant"/> start with the warm-up.</summary>
public enum LearningRateScheduler
{
    /// <summary>The same from the first step to the last.</summary>
    Constant,

    /// <summary>Linear warm-up, then constant.</summary>
    ConstantWithWarmup,

    /// <summary>Linear warm-up, then linearly to zero at the last step.</summary>
    Linear,

    /// <summary>Linear warm-up, then half a cosine to zero at the last step.</summary>
    Cosine,
}

/// <summary>
/// The weight f that a token of a row gets, as a function of x: its probability p (off-policy), its ratio ρ to the old policy (on-policy) or to the
/// recorded policy that wrote it. What counts is its gradient, df/d ln x. Methods that are published as a gradient with constants in it have the
/// integral of that gradient for f.
/// </summary>
public enum PolicyReshape
{
    /// <summary>f = x.</summary>
    None,

    /// <summary>f = x / (x + γ): lifts rare tokens, damps confident ones.</summary>
    PDivPGamma,

    /// <summary>f = √x.</summary>
    Sqrt,

    /// <summary>f = x^e.</summary>
    Pow,

    /// <summary>f = w · log x: plain imitation.</summary>
    Logp,

    /// <summary>f = x + w · log x.</summary>
    PLogp,

    /// <summary>TrSFT (arXiv 2512.17636), off-policy alone: gradient min(1, x/γ).</summary>
    TrustRegion,

    /// <summary>CHORD-φ (arXiv 2508.11408), off-policy alone: gradient x · (1 − x).</summary>
    POneMinusP,

    /// <summary>RL-PLUS (arXiv 2508.00222), off-policy alone: gradient 2p / (p_old + (p_old + U)/2) · (1 − p)^e.</summary>
    RlPlus,

    /// <summary>CISPO (arXiv 2506.13585), on-policy alone: gradient clamp(ρ, 1 − ε, 1 + ε_high). No token loses it.</summary>
    Cispo,
}

/// <summary>What an importance ratio is taken of.</summary>
public enum ImportanceSamplingLevel
{
    /// <summary>Each token by itself.</summary>
    Token,

    /// <summary>The sampled tokens of a row together: the geometric mean of their ratios, the same for each (GSPO, arXiv 2507.18071).</summary>
    Sequence,
}

/// <summary>What the summed token losses are divided by. Every denominator is counted over the whole mini-batch before the first backward.</summary>
public enum LossNormalizer
{
    /// <summary>max_completion_length × rows.</summary>
    MaxLength,

    /// <summary>The number of response tokens.</summary>
    Tokens,

    /// <summary>The mean over rows of each row's token mean.</summary>
    Sequences,

    /// <summary>Nothing: the plain sum.</summary>
    Sum,

    /// <summary>max_completion_length alone, as the reference code does; for comparison.</summary>
    LuffyReference,
}

/// <summary>TRL's names for normalisers.</summary>
public enum LossType
{
    /// <summary><see cref="LossNormalizer.Sequences"/>.</summary>
    Grpo,

    /// <summary><see cref="LossNormalizer.Tokens"/>.</summary>
    Bnpo,

    /// <summary><see cref="LossNormalizer.MaxLength"/>.</summary>
    DrGrpo,

    /// <summary><see cref="LossNormalizer.Tokens"/>: denominators are global here, so the same as bnpo.</summary>
    Dapo,
}

/// <summary>How advantages are made of rewards.</summary>
public enum AdvantageEstimator
{
    /// <summary>Reward minus the group's mean (GRPO, Dr.GRPO, LUFFY).</summary>
    Grpo,

    /// <summary>Reward minus the mean of the group's other rows.</summary>
    Rloo,

    /// <summary>Reward, minus its mean and divided by its deviation over the tokens of the whole batch.</summary>
    ReinforcePlusPlus,

    /// <summary>Reward minus the group's mean, and that normalised as in reinforce_plus_plus.</summary>
    ReinforcePlusPlusBaseline,

    /// <summary>1 for a right sample, −1 for a wrong one; a demonstration's reward minus the group's mean.</summary>
    Sign,
}

/// <summary>Which rows' rewards make the mean that advantages are measured from.</summary>
public enum AdvantageBaseline
{
    /// <summary>All rows of the group, demonstrations included.</summary>
    Group,

    /// <summary>The sampled rows only.</summary>
    OnPolicy,
}

/// <summary>What advantages are divided by.</summary>
public enum RewardScaling
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The unbiased standard deviation of the group's rewards, plus 1e-6.</summary>
    Group,

    /// <summary>The unbiased standard deviation of the rewards of the whole batch, plus 1e-6.</summary>
    Batch,
}

/// <summary>How long a part of the demonstration the model is given to continue, as a share of its tokens.</summary>
public enum PrefixStrategy
{
    /// <summary>No prefixes: a demonstration is a row of its own.</summary>
    None,

    /// <summary>Always max_prefix_ratio.</summary>
    Fixed,

    /// <summary>From max_prefix_ratio linearly to min_prefix_ratio at the last step.</summary>
    Linear,

    /// <summary>From max_prefix_ratio by half a cosine to min_prefix_ratio at the last step.</summary>
    Cosine,
}

/// <summary>Problems that are measured on; none is trained on.</summary>
public enum EvaluationSplit
{
    /// <summary>For choices: settings are compared on it.</summary>
    Validation,

    /// <summary>For results: nothing is chosen by it.</summary>
    Test,
}

/// <summary>Where a run reports to.</summary>
public enum ReportTarget
{
    /// <summary>metrics.jsonl in the run directory: one object a step.</summary>
    Jsonl,

    /// <summary>rollouts/step-NNNNNN.jsonl in the run directory: every row of every step.</summary>
    Rollouts,
}
