namespace Luffy.Engine.Configuration;

/// <summary>How rows are scored and what advantage they get.</summary>
public sealed record RewardOptions
{
    /// <summary>Names of the rewards that are added up.</summary>
    public IReadOnlyList<string> RewardFuncs { get; init; } = ["math"];

    /// <summary>The weight of each of reward_funcs; null means 1 each.</summary>
    public IReadOnlyList<double>? RewardWeights { get; init; }

    /// <summary>
    /// How advantages are made of rewards: grpo takes the mean of the group away, rloo (arXiv 2402.14740) the mean of its other rows.
    /// reinforce_plus_plus (arXiv 2501.03262) normalises rewards over all tokens of a step, and reinforce_plus_plus_baseline what the group's mean
    /// leaves of them: these two move groups of equal rewards too. sign is SRFT's (arXiv 2506.19767): 1 for a right sample and −1 for a wrong one, while a
    /// demonstration has what grpo gives it. A KL penalty (beta) stays in the loss with all of them.
    /// </summary>
    public AdvantageEstimator AdvantageEstimator { get; init; }

    /// <summary>
    /// Multiply the loss of samples that the verifier calls right with this times e^H, H being the mean entropy of the policy over the samples' tokens of
    /// a step, a constant to the gradient: w_RL of SRFT (arXiv 2506.19767), 0.1 there. Its text does not say over which tokens H is taken. null means 1.
    /// Costs a forward pass over the samples.
    /// </summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double? PositiveEntropyCoef { get; init; }

    /// <summary>The rows of a group whose mean advantages are measured from; reinforce_plus_plus has no such mean.</summary>
    public AdvantageBaseline AdvantageBaseline { get; init; }

    /// <summary>What advantages of advantage_estimator grpo, and of sign where they are a demonstration's, are divided by, the others have no choice; the published LUFFY run divides by nothing.</summary>
    public RewardScaling ScaleRewards { get; init; }

    /// <summary>
    /// The reward falls linearly by up to 1 over this many last tokens before max_completion_length (DAPO's soft overlong punishment, arXiv
    /// 2503.14476), demonstrations included; 0 means it does not. Accuracy is counted without it.
    /// </summary>
    [Bounds(Minimum = 0)]
    public int SoftPunishCache { get; init; }

    /// <summary>Give completions that were cut off at max_completion_length no part in the loss.</summary>
    public bool MaskTruncatedCompletions { get; init; }

    /// <summary>Checks what no key can check alone.</summary>
    /// <param name="sampledRows">Sampled rows of a group.</param>
    /// <param name="maxCompletionLength">The longest completion allowed, in tokens.</param>
    /// <exception cref="LuffyException">Two keys contradict each other.</exception>
    public void Validate(int sampledRows, int maxCompletionLength)
    {
        if (RewardFuncs.Count == 0)
            throw LuffyException.Usage("reward_funcs is empty; name at least one reward, such as math.");
        if (RewardWeights is { } weights && weights.Count != RewardFuncs.Count)
            throw LuffyException.Usage($"reward_weights has {weights.Count} values for {RewardFuncs.Count} reward_funcs; give one each.");
        if (SoftPunishCache > maxCompletionLength)
        {
            throw LuffyException.Usage(
                $"soft_punish_cache ({SoftPunishCache}) must not be larger than max_completion_length ({maxCompletionLength}), whose last tokens it counts.");
        }

        string estimator = ConfigurationKey.SnakeCase(AdvantageEstimator.ToString());
        if (AdvantageEstimator is not (AdvantageEstimator.Grpo or AdvantageEstimator.Sign) && ScaleRewards != RewardScaling.None)
        {
            throw LuffyException.Usage(
                $"scale_rewards {ConfigurationKey.SnakeCase(ScaleRewards.ToString())} divides advantages of advantage_estimator grpo, but the estimator is {estimator}; set scale_rewards to none.");
        }
        if (AdvantageEstimator == AdvantageEstimator.Sign && ScaleRewards == RewardScaling.Batch)
            throw LuffyException.Usage("scale_rewards batch divides all advantages, and those of advantage_estimator sign are 1 and −1; set scale_rewards to group or none.");
        if (ScaleRewards == RewardScaling.Group && AdvantageBaseline == AdvantageBaseline.OnPolicy)
        {
            throw LuffyException.Usage(
                "scale_rewards group divides by the deviation of the rows of advantage_baseline on_policy, which is 0 where every sample fails: a demonstration's advantage would be a million there. " +
                "Set scale_rewards to none, or advantage_baseline to group.");
        }
        if (AdvantageEstimator == AdvantageEstimator.ReinforcePlusPlus && AdvantageBaseline != AdvantageBaseline.Group)
        {
            throw LuffyException.Usage(
                "advantage_baseline on_policy chooses the rows of a group's mean, but advantage_estimator reinforce_plus_plus has none; use reinforce_plus_plus_baseline.");
        }
        if (AdvantageEstimator == AdvantageEstimator.Rloo && sampledRows < 2)
        {
            throw LuffyException.Usage(
                $"advantage_estimator rloo compares each sampled row with others, but groups have {sampledRows}; raise num_generations.");
        }
    }
}
