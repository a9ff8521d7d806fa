using Luffy.Kernels;

namespace Luffy.Engine.Configuration;

/// <summary>The policy loss (arXiv 2504.14945). Defaults are those of the published LUFFY run.</summary>
public sealed record LossOptions
{
    /// <summary>The weight of off-policy tokens as a function of their probability.</summary>
    public PolicyReshape OffPolicyReshape { get; init; } = PolicyReshape.PDivPGamma;

    /// <summary>γ of p_div_p_gamma and trust_region for off-policy tokens.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double OffPolicyGamma { get; init; } = 0.1;

    /// <summary>The exponent of pow and rl_plus for off-policy tokens.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double OffPolicyExponent { get; init; } = 0.5;

    /// <summary>The weight w of logp and p_logp for off-policy tokens.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double OffPolicyLogpWeight { get; init; } = 1;

    /// <summary>
    /// U of rl_plus: the probability that a teacher of whom nothing is known would give any token. 1 as in the authors' code; their text (arXiv 2508.00222)
    /// has a uniform distribution, which is 1 divided by the size of the vocabulary.
    /// </summary>
    [Bounds(Minimum = 0)]
    public double OffPolicyUniform { get; init; } = 1;

    /// <summary>
    /// The weight of off-policy tokens whose behaviour probability q was recorded, as a function of p/q, in place of off_policy_reshape. p_div_p_gamma is
    /// ExGRPO's (arXiv 2510.02245). Exponent and logp weight are those of other off-policy tokens.
    /// </summary>
    public PolicyReshape BehaviorReshape { get; init; }

    /// <summary>γ of p_div_p_gamma and trust_region for tokens with a recorded behaviour probability.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double BehaviorGamma { get; init; } = 0.1;

    /// <summary>The smallest weight of an off-policy token; null means no bound.</summary>
    public double? OffPolicyClipLow { get; init; }

    /// <summary>The largest weight of an off-policy token; null means no bound.</summary>
    public double? OffPolicyClipHigh { get; init; }

    /// <summary>
    /// The weight of a demonstration's tokens in imitation (sft, sft_then_rl, imitate_failed_every, sft_loss_coef), with the parameters of
    /// off_policy_reshape. logp is the cross-entropy. none is DFT (arXiv 2508.05629): the cross-entropy times the token's probability as a constant, whose
    /// gradient is that of the probability itself. trust_region is TrSFT (arXiv 2512.17636), p_one_minus_p CHORD-φ (arXiv 2508.11408).
    /// </summary>
    public PolicyReshape SftReshape { get; init; } = PolicyReshape.Logp;

    /// <summary>The weight of on-policy tokens as a function of their ratio.</summary>
    public PolicyReshape OnPolicyReshape { get; init; }

    /// <summary>γ of p_div_p_gamma for on-policy tokens.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double OnPolicyGamma { get; init; } = 0.1;

    /// <summary>The exponent of pow for on-policy tokens.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double OnPolicyExponent { get; init; } = 0.5;

    /// <summary>The weight w of logp and p_logp for on-policy tokens.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double OnPolicyLogpWeight { get; init; } = 1;

    /// <summary>
    /// What the ratio of sampled tokens is taken of. sequence is GSPO (arXiv 2507.18071), whose ratios are so near 1 that the paper has 3e-4 and 4e-4
    /// for epsilon and epsilon_high; its objective has loss_normalizer sequences. From a step's second update on, it takes a forward pass more.
    /// </summary>
    public ImportanceSamplingLevel ImportanceSamplingLevel { get; init; }

    /// <summary>Clip the ratio of on-policy tokens: false for luffy (as published), true for grpo, unless given.</summary>
    public bool Clip { get; init; }

    /// <summary>ε: the ratio is clipped below 1 − ε, by clip and by on_policy_reshape cispo.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true, Maximum = 1)]
    public double Epsilon { get; init; } = 0.2;

    /// <summary>The ratio is clipped above 1 + this; null means ε.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double? EpsilonHigh { get; init; }

    /// <summary>What the summed token losses are divided by.</summary>
    public LossNormalizer LossNormalizer { get; init; }

    /// <summary>TRL's name for the normaliser; sets loss_normalizer.</summary>
    public LossType? LossType { get; init; }

    /// <summary>The weight of the entropy bonus; the first value where target_entropy adapts it.</summary>
    [Bounds(Minimum = 0)]
    public double EntropyCoef { get; init; } = 0.001;

    /// <summary>Adapt the entropy bonus so that the mean entropy of sampled tokens stays near this, in nats; null means a fixed weight.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double? TargetEntropy { get; init; }

    /// <summary>The weight of the KL divergence from the starting model; 0 means no reference model is kept.</summary>
    [Bounds(Minimum = 0)]
    public double Beta { get; init; }

    /// <summary>How the KL divergence is estimated.</summary>
    public KlEstimator KlEstimator { get; init; } = KlEstimator.K3;

    /// <summary>Tokens that the policy already gives a larger probability than this take no part in the loss; null means all do.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true, Maximum = 1)]
    public double? MaxProbability { get; init; }

    /// <summary>The upper ε with its default applied.</summary>
    public double EffectiveEpsilonHigh => EpsilonHigh ?? Epsilon;

    /// <summary>The settings as the kernel takes them.</summary>
    /// <param name="temperature">Divides the logits.</param>
    /// <param name="entropyCoefficient">The weight of the entropy bonus now; differs from entropy_coef where target_entropy adapts it.</param>
    public PolicyLossOptions ToKernelOptions(double temperature, double entropyCoefficient) => new()
    {
        Temperature = (float)temperature,
        OffPolicyShaping = ShapingOf(OffPolicyReshape),
        OffPolicyGamma = (float)OffPolicyGamma,
        OffPolicyExponent = (float)OffPolicyExponent,
        OffPolicyLogProbWeight = (float)OffPolicyLogpWeight,
        OffPolicyMinWeight = (float)(OffPolicyClipLow ?? double.NegativeInfinity),
        OffPolicyMaxWeight = (float)(OffPolicyClipHigh ?? double.PositiveInfinity),
        OffPolicyUniform = (float)OffPolicyUniform,
        BehaviorShaping = ShapingOf(BehaviorReshape),
        BehaviorGamma = (float)BehaviorGamma,
        OnPolicyShaping = ShapingOf(OnPolicyReshape),
        OnPolicyGamma = (float)OnPolicyGamma,
        OnPolicyExponent = (float)OnPolicyExponent,
        OnPolicyLogProbWeight = (float)OnPolicyLogpWeight,
        Clip = Clip,
        Epsilon = (float)Epsilon,
        EpsilonHigh = (float)EffectiveEpsilonHigh,
        MaxProbability = (float)(MaxProbability ?? double.PositiveInfinity),
        EntropyCoefficient = (float)entropyCoefficient,
        KlCoefficient = (float)Beta,
        KlEstimator = KlEstimator,
    };

    /// <summary>The settings of imitation as the kernel takes them: temperature 1, neither entropy bonus nor KL.</summary>
    public PolicyLossOptions ToImitationOptions() => new()
    {
        OffPolicyShaping = ShapingOf(SftReshape),
        OffPolicyGamma = (float)OffPolicyGamma,
        OffPolicyExponent = (float)OffPolicyExponent,
        OffPolicyLogProbWeight = (float)OffPolicyLogpWeight,
    };

    /// <summary>The normaliser that TRL's name stands for.</summary>
    public static LossNormalizer NormalizerOf(LossType type) => type switch
    {
        Configuration.LossType.Grpo => LossNormalizer.Sequences,
        Configuration.LossType.DrGrpo => LossNormalizer.MaxLength,
        _ => LossNormalizer.Tokens,
    };

    /// <summary>Checks what no key can check alone.</summary>
    /// <exception cref="LuffyException">Two keys contradict each other.</exception>
    public void Validate()
    {
        ValidateReshapes();
        if (OffPolicyClipLow > OffPolicyClipHigh)
            throw LuffyException.Usage($"off_policy_clip_low ({OffPolicyClipLow}) must not be larger than off_policy_clip_high ({OffPolicyClipHigh}).");
        if (LossType is { } type && NormalizerOf(type) != LossNormalizer)
        {
            string wanted = ConfigurationKey.SnakeCase(NormalizerOf(type).ToString());
            throw LuffyException.Usage(
                $"loss_type {ConfigurationKey.SnakeCase(type.ToString())} means loss_normalizer {wanted}, but loss_normalizer is " +
                $"{ConfigurationKey.SnakeCase(LossNormalizer.ToString())}: give one of the two.");
        }
    }

    private void ValidateReshapes()
    {
        if (OffPolicyReshape == PolicyReshape.Cispo)
            throw LuffyException.Usage("off_policy_reshape cispo clips the ratio of sampled tokens; use on_policy_reshape: cispo.");
        if (SftReshape is PolicyReshape.Cispo or PolicyReshape.RlPlus)
            throw LuffyException.Usage($"sft_reshape {ConfigurationKey.SnakeCase(SftReshape.ToString())} compares with an old policy, and imitation has none; use it in reinforcement learning.");
        if (BehaviorReshape is PolicyReshape.Cispo or PolicyReshape.RlPlus)
        {
            throw LuffyException.Usage(
                $"behavior_reshape {ConfigurationKey.SnakeCase(BehaviorReshape.ToString())} is no function of p/q; use {(BehaviorReshape == PolicyReshape.Cispo ? "on" : "off")}_policy_reshape for it.");
        }
        if (OnPolicyReshape is PolicyReshape.TrustRegion or PolicyReshape.POneMinusP or PolicyReshape.RlPlus)
        {
            string reshape = ConfigurationKey.SnakeCase(OnPolicyReshape.ToString());
            throw LuffyException.Usage($"on_policy_reshape {reshape} is a function of a demonstration's probability and not of a ratio; use off_policy_reshape: {reshape}.");
        }
        if (OnPolicyReshape == PolicyReshape.Cispo && Clip)
            throw LuffyException.Usage("on_policy_reshape cispo has the clip in its weight, by epsilon and epsilon_high, so that no token loses its gradient; set clip to false.");
    }

    private static PolicyShaping ShapingOf(PolicyReshape reshape) => reshape switch
    {
        PolicyReshape.None => PolicyShaping.None,
        PolicyReshape.PDivPGamma => PolicyShaping.Regularized,
        PolicyReshape.Sqrt => PolicyShaping.SquareRoot,
        PolicyReshape.Pow => PolicyShaping.Power,
        PolicyReshape.Logp => PolicyShaping.LogProb,
        PolicyReshape.PLogp => PolicyShaping.ProbPlusLogProb,
        PolicyReshape.TrustRegion => PolicyShaping.TrustRegion,
        PolicyReshape.POneMinusP => PolicyShaping.ProbTimesComplement,
        PolicyReshape.RlPlus => PolicyShaping.MultipleImportance,
        PolicyReshape.Cispo => PolicyShaping.ClippedRatio,
        _ => throw new ArgumentOutOfRangeException(nameof(reshape), reshape, null),
    };
}
