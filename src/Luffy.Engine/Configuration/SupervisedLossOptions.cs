namespace Luffy.Engine.Configuration;

/// <summary>
/// A supervised loss on the demonstrations of a step, beside the loss of reinforcement learning: L = L_RL + c · L_SFT with
/// L_SFT = −(1/N) Σ ln π(token) over the N tokens of all imitated demonstrations of an update. Each of the two losses has its own denominators.
/// </summary>
public sealed record SupervisedLossOptions
{
    /// <summary>
    /// The weight c of the supervised loss; null means there is none. With it demonstrations are imitated and no members of their groups: advantages
    /// and the denominators of reinforcement learning count the samples alone.
    /// </summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double? SftLossCoef { get; init; }

    /// <summary>The weight where the decay by half a cosine ends, as in CHORD (arXiv 2508.11408); null means that the weight stays.</summary>
    [Bounds(Minimum = 0)]
    public double? SftLossFinalCoef { get; init; }

    /// <summary>Steps over which the weight rises from zero to sft_loss_coef.</summary>
    [Bounds(Minimum = 0)]
    public int SftLossWarmupSteps { get; init; }

    /// <summary>Steps of the decay to sft_loss_final_coef, after the warm-up; null means until the last step.</summary>
    [Bounds(Minimum = 1)]
    public int? SftLossDecaySteps { get; init; }

    /// <summary>Weigh the loss of reinforcement learning with 1 − c: L = (1 − c) · L_RL + c · L_SFT, as in CHORD.</summary>
    public bool SftLossInterpolation { get; init; }

    /// <summary>
    /// Multiply c with e^(−H), H being the mean entropy of the policy over the imitated tokens of a step, a constant to the gradient: w_SFT of SRFT
    /// (arXiv 2506.19767), with sft_loss_coef 0.5. Its text does not say over which tokens H is taken. Costs a forward pass over the demonstrations.
    /// </summary>
    public bool SftLossEntropyWeight { get; init; }

    /// <summary>Demonstrations stay members of their groups, and are imitated as well.</summary>
    public bool SftLossKeepMembers { get; init; }

    /// <summary>Whether demonstrations are members of their groups.</summary>
    public bool DemonstrationsAreMembers => SftLossCoef is null || SftLossKeepMembers;

    /// <summary>
    /// The weight c of a step: it rises linearly from 0, then falls by half a cosine. The formula is that of CHORD's code,
    /// c = final + (peak − final) · (1 + cos(π · s / decay)) / 2 in step s after the warm-up.
    /// </summary>
    /// <param name="step">The step of reinforcement learning, from 0.</param>
    /// <param name="totalSteps">Its steps in all; the last one has sft_loss_final_coef where sft_loss_decay_steps says nothing else.</param>
    /// <param name="spent">The share of the rollout budget that is spent, which ends the decay too where it ends the run.</param>
    public double CoefficientAt(int step, int totalSteps, double spent = 0)
    {
        if (SftLossCoef is not { } peak) return 0;
        if (step < SftLossWarmupSteps) return peak * step / SftLossWarmupSteps;
        if (SftLossFinalCoef is not { } final) return peak;
        int after = step - SftLossWarmupSteps;
        double done = SftLossDecaySteps is { } decay ? (double)after / decay : Math.Max(spent, (double)after / Math.Max(1, totalSteps - 1 - SftLossWarmupSteps));
        return final + ((peak - final) * 0.5 * (1 + Math.Cos(Math.PI * Math.Min(1, done))));
    }

    /// <summary>Checks what no key can check alone.</summary>
    /// <exception cref="LuffyException">Two keys contradict each other.</exception>
    public void Validate()
    {
        if (SftLossCoef is null)
        {
            string? idle = SftLossFinalCoef is not null ? "sft_loss_final_coef" : SftLossWarmupSteps > 0 ? "sft_loss_warmup_steps" :
                SftLossDecaySteps is not null ? "sft_loss_decay_steps" : SftLossInterpolation ? "sft_loss_interpolation" : SftLossEntropyWeight ? "sft_loss_entropy_weight" : SftLossKeepMembers ? "sft_loss_keep_members" : null;
            if (idle is not null) throw LuffyException.Usage($"{idle} shapes the supervised loss beside reinforcement learning, which needs sft_loss_coef.");
            return;
        }

        if (SftLossDecaySteps is not null && SftLossFinalCoef is null)
            throw LuffyException.Usage("sft_loss_decay_steps is the length of the decay to sft_loss_final_coef, which is not given.");
        if (SftLossInterpolation && SftLossEntropyWeight)
            throw LuffyException.Usage("sft_loss_entropy_weight changes the weight of the supervised loss from what sft_loss_interpolation takes away from the other; choose one of them.");
        if (SftLossInterpolation && Math.Max(SftLossCoef.Value, SftLossFinalCoef ?? 0) > 1)
            throw LuffyException.Usage("sft_loss_interpolation weighs reinforcement learning with 1 − sft_loss_coef, which must therefore not be larger than 1; nor may sft_loss_final_coef.");
    }
}
