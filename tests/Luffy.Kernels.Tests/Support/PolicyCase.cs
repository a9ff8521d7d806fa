namespace Luffy.Kernels.Tests;

/// <summary>One setting of the objective: each differs from the others in what it computes, so an option that is ignored shows.</summary>
public sealed record PolicyCase(string Name, PolicyLossOptions Options)
{
    public static IEnumerable<PolicyCase> All
    {
        get
        {
            PolicyLossOptions plain = new() { OffPolicyShaping = PolicyShaping.None };
            yield return new("defaults", new());
            yield return new("plain", plain);
            yield return new("gamma .3, temperature .7", new() { OffPolicyGamma = .3f, Temperature = .7f });
            yield return new("off square root", plain with { OffPolicyShaping = PolicyShaping.SquareRoot });
            yield return new("off power .3", plain with { OffPolicyShaping = PolicyShaping.Power, OffPolicyExponent = .3f });
            yield return new("off log p", plain with { OffPolicyShaping = PolicyShaping.LogProb, OffPolicyLogProbWeight = .8f });
            yield return new("off p + log p", plain with { OffPolicyShaping = PolicyShaping.ProbPlusLogProb, OffPolicyLogProbWeight = .4f });
            yield return new("off trust region .02", plain with { OffPolicyShaping = PolicyShaping.TrustRegion, OffPolicyGamma = .02f });
            yield return new("off p (1 - p)", plain with { OffPolicyShaping = PolicyShaping.ProbTimesComplement });
            yield return new("off multiple importance", plain with { OffPolicyShaping = PolicyShaping.MultipleImportance, OffPolicyUniform = .3f });
            yield return new("off multiple importance, exponent 2", plain with { OffPolicyShaping = PolicyShaping.MultipleImportance, OffPolicyExponent = 2 });
            yield return new("recorded p / (p + gamma)", plain with { BehaviorShaping = PolicyShaping.Regularized, BehaviorGamma = .3f });
            yield return new("recorded trust region", plain with { BehaviorShaping = PolicyShaping.TrustRegion, BehaviorGamma = .08f });
            yield return new("recorded square root", plain with { BehaviorShaping = PolicyShaping.SquareRoot });
            yield return new("off bounds", new() { OffPolicyMinWeight = .45f, OffPolicyMaxWeight = .7f });
            yield return new("on regularized", plain with { OnPolicyShaping = PolicyShaping.Regularized, OnPolicyGamma = .4f });
            yield return new("on square root", plain with { OnPolicyShaping = PolicyShaping.SquareRoot });
            yield return new("on power 1.5", plain with { OnPolicyShaping = PolicyShaping.Power, OnPolicyExponent = 1.5f });
            yield return new("on log p", plain with { OnPolicyShaping = PolicyShaping.LogProb, OnPolicyLogProbWeight = .6f });
            yield return new("on p + log p", plain with { OnPolicyShaping = PolicyShaping.ProbPlusLogProb, OnPolicyLogProbWeight = .3f });
            yield return new("on clipped ratio", plain with { OnPolicyShaping = PolicyShaping.ClippedRatio, Epsilon = .07f, EpsilonHigh = .11f });
            yield return new("clip", new() { Clip = true, Epsilon = .1f, EpsilonHigh = .3f });
            yield return new("clip of a shaped ratio", new() { Clip = true, Epsilon = .05f, EpsilonHigh = .02f, OnPolicyShaping = PolicyShaping.SquareRoot });
            yield return new("bounded probability", new() { MaxProbability = .25f });
            yield return new("entropy", new() { EntropyCoefficient = .2f, Temperature = 1.3f });
            yield return new("kl k1", new() { KlCoefficient = .3f, KlEstimator = KlEstimator.K1 });
            yield return new("kl k2", new() { KlCoefficient = .3f, KlEstimator = KlEstimator.K2 });
            yield return new("kl k3, entropy, clip", new()
            {
                KlCoefficient = .5f, KlEstimator = KlEstimator.K3, EntropyCoefficient = .1f, Clip = true, Epsilon = .1f, EpsilonHigh = .1f,
            });
        }
    }

    public override string ToString() => Name;
}
