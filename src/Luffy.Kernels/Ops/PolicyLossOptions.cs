namespace Luffy.Kernels;

/// <summary>How a probability or a ratio becomes the weight that is multiplied with −A ("policy shaping", arXiv 2504.14945 §3.3).</summary>
public enum PolicyShaping
{
    /// <summary>w = p off-policy; w = ρ on-policy.</summary>
    None = 0,

    /// <summary>Regularised importance sampling, w = p/(p+γ); on-policy f(p)/f(p_old).</summary>
    Regularized = 1,

    /// <summary>w = √p; on-policy √ρ.</summary>
    SquareRoot = 2,

    /// <summary>w = p^e; on-policy ρ^e.</summary>
    Power = 3,

    /// <summary>w = c·ln p: plain imitation; on-policy c·ln ρ.</summary>
    LogProb = 4,

    /// <summary>w = p + c·ln p; on-policy ρ + c·ln ρ.</summary>
    ProbPlusLogProb = 5,

    /// <summary>
    /// TrSFT's trust region (TRAPO, arXiv 2512.17636): w = p/γ up to p = γ and 1 + ln(p/γ) beyond, so that dw/d ln p = min(1, p/γ): plain
    /// imitation of what is probable already, and less of it the further away a token is. Off-policy alone.
    /// </summary>
    TrustRegion = 6,

    /// <summary>CHORD-φ (arXiv 2508.11408): w = p − p²/2, so that dw/d ln p = p(1 − p), largest where the policy is undecided. Off-policy alone.</summary>
    ProbTimesComplement = 7,

    /// <summary>
    /// RL-PLUS (arXiv 2508.00222): multiple importance sampling, and an advantage that favours what is improbable. With D = p_old + (p_old + U)/2
    /// it is w = 2(1 − (1 − p)^(e+1)) / ((e + 1)·D), so that dw/d ln p = 2p/D·(1 − p)^e: the authors' gradient, whose (1 − p)^e is a constant
    /// to it. Off-policy alone, and not for recorded behaviour probabilities.
    /// </summary>
    MultipleImportance = 8,

    /// <summary>
    /// CISPO (MiniMax-M1, arXiv 2506.13585): w = ρ between b = 1 − ε and b = 1 + ε_high, and b(1 + ln(ρ/b)) beyond each, so that dw/d ln ρ = clamp(ρ, 1 − ε, 1 + ε_high):
    /// the ratio is bounded and no token loses its gradient. On-policy alone.
    /// </summary>
    ClippedRatio = 9,
}

/// <summary>Estimators of KL(π ‖ π_ref) per token with r = ln π_ref − ln π (Schulman, "Approximating KL divergence", 2020).</summary>
public enum KlEstimator
{
    /// <summary>−r.</summary>
    K1 = 0,

    /// <summary>r²/2.</summary>
    K2 = 1,

    /// <summary>e^r − r − 1.</summary>
    K3 = 2,
}

/// <summary>
/// Settings of the objective, one token at a time. All normalisation is in the per-token weights, fixed before the first backward:
/// loss = Σ_t weight[t] · (policy_t − EntropyCoefficient·H_t + KlCoefficient·kl_t).
/// </summary>
public readonly record struct PolicyLossOptions()
{
    // No bool: kernels for any GPU take these settings as they are, and a bool has no size that all devices agree on.
    private readonly int _clip;

    /// <summary>Logits are divided by it before everything else.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Shaping of tokens from demonstrations, whose behaviour probability counts as 1 unless recorded.</summary>
    public PolicyShaping OffPolicyShaping { get; init; } = PolicyShaping.Regularized;

    /// <summary>γ of <see cref="PolicyShaping.Regularized"/> and <see cref="PolicyShaping.TrustRegion"/>, off-policy rows.</summary>
    public float OffPolicyGamma { get; init; } = 0.1f;

    /// <summary>e of <see cref="PolicyShaping.Power"/> and <see cref="PolicyShaping.MultipleImportance"/>, off-policy rows.</summary>
    public float OffPolicyExponent { get; init; } = 0.5f;

    /// <summary>c of <see cref="PolicyShaping.LogProb"/> and <see cref="PolicyShaping.ProbPlusLogProb"/>, off-policy rows.</summary>
    public float OffPolicyLogProbWeight { get; init; } = 1;

    /// <summary>Lower bound of the off-policy weight; no gradient where it is active. −∞ for none.</summary>
    public float OffPolicyMinWeight { get; init; } = float.NegativeInfinity;

    /// <summary>Upper bound of the off-policy weight; no gradient where it is active. +∞ for none.</summary>
    public float OffPolicyMaxWeight { get; init; } = float.PositiveInfinity;

    /// <summary>
    /// U of <see cref="PolicyShaping.MultipleImportance"/>: what a teacher of whom nothing is known gives every token. 1 in the authors' code; one
    /// over the vocabulary in their text.
    /// </summary>
    public float OffPolicyUniform { get; init; } = 1;

    /// <summary>
    /// Shaping of demonstration tokens whose behaviour probability q is recorded, a function of x = p/(q + 1e-6) in place of p: ExGRPO
    /// (arXiv 2510.02245) takes <see cref="PolicyShaping.Regularized"/>. Exponent and c are those of other off-policy tokens.
    /// </summary>
    public PolicyShaping BehaviorShaping { get; init; } = PolicyShaping.None;

    /// <summary>γ of <see cref="BehaviorShaping"/>.</summary>
    public float BehaviorGamma { get; init; } = 0.1f;

    /// <summary>Shaping of sampled tokens; the paper finds that anything but <see cref="PolicyShaping.None"/> hurts.</summary>
    public PolicyShaping OnPolicyShaping { get; init; } = PolicyShaping.None;

    /// <summary>γ, on-policy rows.</summary>
    public float OnPolicyGamma { get; init; } = 0.1f;

    /// <summary>e, on-policy rows.</summary>
    public float OnPolicyExponent { get; init; } = 0.5f;

    /// <summary>c, on-policy rows.</summary>
    public float OnPolicyLogProbWeight { get; init; } = 1;

    /// <summary>
    /// Whether the on-policy weight is clipped as in PPO: max(−A·w, −A·clamp(w, 1−ε, 1+ε_high)). Off-policy rows never are.
    /// </summary>
    public bool Clip
    {
        get => _clip != 0;
        init => _clip = value ? 1 : 0;
    }

    /// <summary>ε, of <see cref="Clip"/> and <see cref="PolicyShaping.ClippedRatio"/>.</summary>
    public float Epsilon { get; init; } = 0.2f;

    /// <summary>ε_high (DAPO's clip-higher; equal to ε in PPO).</summary>
    public float EpsilonHigh { get; init; } = 0.2f;

    /// <summary>Tokens whose probability exceeds it get no policy term at all; 1 or more for none.</summary>
    public float MaxProbability { get; init; } = float.PositiveInfinity;

    /// <summary>Coefficient of the entropy bonus, by rows' weights.</summary>
    public float EntropyCoefficient { get; init; }

    /// <summary>Coefficient of the KL term (TRL's beta); needs reference log-probs.</summary>
    public float KlCoefficient { get; init; }

    /// <summary>Estimator of the KL term.</summary>
    public KlEstimator KlEstimator { get; init; } = KlEstimator.K3;
}
