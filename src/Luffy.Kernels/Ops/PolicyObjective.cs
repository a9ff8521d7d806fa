using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary>Why a token's policy term has no gradient, or a bounded one. Values are those that <see cref="TokenStatistic.Clipped"/> reports.</summary>
public enum PolicyClip
{
    /// <summary>It has one.</summary>
    None = 0,

    /// <summary>PPO's clip is active: the clipped loss is the larger.</summary>
    Ratio = 1,

    /// <summary>The upper bound of the off-policy weight; or that of <see cref="PolicyShaping.ClippedRatio"/>, which leaves a gradient.</summary>
    UpperBound = 2,

    /// <summary>The lower bound of the off-policy weight; or that of <see cref="PolicyShaping.ClippedRatio"/>, which leaves a gradient.</summary>
    LowerBound = 3,

    /// <summary>The token is more probable than <see cref="PolicyLossOptions.MaxProbability"/>.</summary>
    TooProbable = 4,
}

/// <summary>The policy term of one token, before its weight.</summary>
/// <param name="Loss">−A·w, or its clipped form.</param>
/// <param name="Weight">w, after its bounds.</param>
/// <param name="Gradient">d Loss / d ln π.</param>
/// <param name="Clip">Why the gradient is zero or bounded, if for one of these reasons.</param>
public readonly record struct TokenObjective(double Loss, double Weight, double Gradient, PolicyClip Clip);

/// <summary>
/// The mixed-policy objective of one token as a function of its log-prob (Yan et al., "Learning to Reason under Off-Policy Guidance",
/// arXiv 2504.14945 §3.2–3.3; PPO's clip from arXiv 1707.06347 §3 with DAPO's upper ε, arXiv 2503.14476 §3.1). It is pure and in f64:
/// the gradient check differentiates exactly this. Kernels for any GPU call it too, so it throws nothing and calls nothing of .NET's
/// library: settings are those that <see cref="IPolicyLoss"/> has checked. Methods that are published as a gradient with constants in it
/// ("stop-gradient") have the integral of that gradient for their weight here, which makes them functions too.
/// </summary>
public static class PolicyObjective
{
    /// <summary>Keeps a recorded teacher probability of 0 from dividing, as the authors' code does.</summary>
    private const double BehaviorFloor = 1e-6;

    /// <summary>
    /// The policy term of a token, chosen by its kind: the branch not taken is not computed, so it cannot overflow into a NaN.
    /// </summary>
    /// <param name="logProb">ln π(token).</param>
    /// <param name="oldLogProb">
    /// ln π_old, for sampled tokens and <see cref="PolicyShaping.MultipleImportance"/>; NaN means the current one as a constant: ratio 1.
    /// </param>
    /// <param name="advantage">A. With A = 0 the term is exactly 0, however large the weight.</param>
    /// <param name="offPolicy">True for a demonstration's token.</param>
    /// <param name="behaviorLogProb">ln q of the policy that wrote a demonstration's token, NaN where not recorded.</param>
    /// <param name="options">Settings.</param>
    public static TokenObjective Evaluate(double logProb, double oldLogProb, double advantage, bool offPolicy, double behaviorLogProb,
        in PolicyLossOptions options)
    {
        (double weight, double slope, PolicyClip clip) = offPolicy
            ? OffPolicyWeight(logProb, oldLogProb, behaviorLogProb, options)
            : OnPolicyWeight(logProb, oldLogProb, options);
        if (options.MaxProbability < 1 && DeviceMath.Exp(logProb) > options.MaxProbability)
            return new TokenObjective(0, weight, 0, PolicyClip.TooProbable);
        if (advantage == 0) return new TokenObjective(0, weight, 0, clip);

        double loss = -advantage * weight;
        double gradient = slope == 0 ? 0 : -advantage * slope;
        if (!offPolicy && options.Clip)
        {
            double least = 1 - (double)options.Epsilon, most = 1 + (double)options.EpsilonHigh;
            double clipped = -advantage * (weight < least ? least : weight > most ? most : weight);
            if (clipped > loss) return new TokenObjective(clipped, weight, 0, PolicyClip.Ratio);
        }

        return new TokenObjective(loss, weight, gradient, clip);
    }

    /// <summary>KL(π ‖ π_ref) of one token and its derivative by ln π, with r = ln π_ref − ln π.</summary>
    public static (double Kl, double Gradient) Kl(double logProb, double referenceLogProb, KlEstimator estimator)
    {
        double r = referenceLogProb - logProb;
        if (estimator == KlEstimator.K1) return (-r, 1);
        if (estimator == KlEstimator.K2) return (r * r / 2, -r);
        double ratio = DeviceMath.Exp(r);
        return (ratio - r - 1, 1 - ratio);
    }

    /// <summary>w of a sampled token and dw/d ln π: the shaping of ρ = π/π_old.</summary>
    private static (double Weight, double Slope, PolicyClip Clip) OnPolicyWeight(double logProb, double oldLogProb,
        in PolicyLossOptions options)
    {
        double old = double.IsNaN(oldLogProb) ? logProb : oldLogProb;
        if (options.OnPolicyShaping == PolicyShaping.Regularized)
        {
            // f(p)/f(p_old) with f(p) = p/(p+γ), written so that two tiny probabilities do not become 0/0.
            double gamma = options.OnPolicyGamma, p = DeviceMath.Exp(logProb);
            double weight = DeviceMath.Exp(logProb - old) * (DeviceMath.Exp(old) + gamma) / (p + gamma);
            return (weight, weight * gamma / (p + gamma), PolicyClip.None);
        }

        if (options.OnPolicyShaping == PolicyShaping.ClippedRatio)
        {
            double logRatio = logProb - old, ratio = DeviceMath.Exp(logRatio), least = 1 - (double)options.Epsilon, most = 1 + (double)options.EpsilonHigh;
            if (ratio > most) return (most * (1 + logRatio - DeviceMath.Log(most)), most, PolicyClip.UpperBound);
            if (ratio < least) return (least * (1 + logRatio - DeviceMath.Log(least)), least, PolicyClip.LowerBound);
            return (ratio, ratio, PolicyClip.None);
        }

        (double w, double slope) = Shape(logProb - old, options.OnPolicyShaping, options.OnPolicyGamma, options.OnPolicyExponent,
            options.OnPolicyLogProbWeight);
        return (w, slope, PolicyClip.None);
    }

    /// <summary>
    /// w of a demonstration's token and dw/d ln π: the shaping of p, or of p/q where the behaviour policy's q is recorded; then its bounds.
    /// </summary>
    private static (double Weight, double Slope, PolicyClip Clip) OffPolicyWeight(double logProb, double oldLogProb, double behaviorLogProb,
        in PolicyLossOptions options)
    {
        double weight, slope;
        if (!double.IsNaN(behaviorLogProb))
        {
            double logRatio = logProb - DeviceMath.Log(DeviceMath.Exp(behaviorLogProb) + BehaviorFloor);
            (weight, slope) = Shape(logRatio, options.BehaviorShaping, options.BehaviorGamma, options.OffPolicyExponent, options.OffPolicyLogProbWeight);
        }
        else if (options.OffPolicyShaping == PolicyShaping.MultipleImportance)
        {
            (weight, slope) = MultipleImportance(logProb, double.IsNaN(oldLogProb) ? logProb : oldLogProb, options);
        }
        else
        {
            (weight, slope) = Shape(logProb, options.OffPolicyShaping, options.OffPolicyGamma, options.OffPolicyExponent,
                options.OffPolicyLogProbWeight);
        }

        if (weight > options.OffPolicyMaxWeight) return (options.OffPolicyMaxWeight, 0, PolicyClip.UpperBound);
        if (weight < options.OffPolicyMinWeight) return (options.OffPolicyMinWeight, 0, PolicyClip.LowerBound);
        return (weight, slope, PolicyClip.None);
    }

    /// <summary><see cref="PolicyShaping.MultipleImportance"/>; the old probability is a constant.</summary>
    private static (double Weight, double Slope) MultipleImportance(double logProb, double oldLogProb, in PolicyLossOptions options)
    {
        double p = DeviceMath.Exp(logProb), old = DeviceMath.Exp(oldLogProb), exponent = options.OffPolicyExponent;
        double rest = p < 1 ? 1 - p : 0, power = rest > 0 ? DeviceMath.Exp(exponent * DeviceMath.Log(rest)) : 0;
        double scale = 2 / (old + ((old + options.OffPolicyUniform) / 2));
        return (scale * (1 - (rest * power)) / (exponent + 1), scale * p * power);
    }

    /// <summary>The shapings that are the same function of ln x for x = p, x = p/q and x = ρ, and their derivatives by ln x.</summary>
    private static (double Weight, double Slope) Shape(double logX, PolicyShaping shaping, double gamma, double exponent, double logProbWeight)
    {
        if (shaping == PolicyShaping.LogProb) return (logProbWeight * logX, logProbWeight);
        if (shaping == PolicyShaping.TrustRegion)
        {
            double logShare = logX - DeviceMath.Log(gamma), share = logShare < 0 ? DeviceMath.Exp(logShare) : 1;
            return (logShare < 0 ? share : 1 + logShare, share);
        }

        if (shaping == PolicyShaping.SquareRoot) exponent = 0.5;
        double power = shaping is PolicyShaping.SquareRoot or PolicyShaping.Power ? exponent : 1;
        double x = DeviceMath.Exp(power * logX), slope = power * x;
        if (shaping == PolicyShaping.Regularized) return (x / (x + gamma), gamma * x / ((x + gamma) * (x + gamma)));
        if (shaping == PolicyShaping.ProbTimesComplement) return (x - (x * x / 2), x * (1 - x));
        return shaping == PolicyShaping.ProbPlusLogProb ? (x + (logProbWeight * logX), slope + logProbWeight) : (x, slope);
    }
}
