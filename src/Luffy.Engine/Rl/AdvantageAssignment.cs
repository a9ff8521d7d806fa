using Luffy.Engine.Configuration;

namespace Luffy.Engine.Rl;

/// <summary>Gives every row of a step its advantage, as advantage_estimator, advantage_baseline and scale_rewards say.</summary>
public static class AdvantageAssignment
{
    /// <summary>Sets <see cref="GroupRow.Advantage"/> of all members of the groups.</summary>
    /// <param name="groups">All groups of the step: what is normalised over the batch is normalised over these.</param>
    /// <param name="options">The estimator and its settings.</param>
    public static void Assign(IReadOnlyList<RolloutGroup> groups, RewardOptions options)
    {
        foreach (RolloutGroup group in groups)
        {
            GroupRow[] members = [.. group.Members];
            double[] rewards = [.. members.Select(r => r.Reward)];
            bool[] demonstrations = [.. members.Select(r => r.IsDemonstration)];
            double[] advantages = options.AdvantageEstimator switch
            {
                AdvantageEstimator.Grpo or AdvantageEstimator.ReinforcePlusPlusBaseline or AdvantageEstimator.Sign =>
                    Advantage.Of(rewards, demonstrations, options.AdvantageBaseline, options.ScaleRewards == RewardScaling.Group),
                AdvantageEstimator.Rloo => Advantage.LeaveOneOut(rewards, demonstrations, options.AdvantageBaseline),
                AdvantageEstimator.ReinforcePlusPlus => rewards,
                _ => throw new ArgumentOutOfRangeException(nameof(options), options.AdvantageEstimator, "unknown estimator"),
            };
            for (int i = 0; i < advantages.Length; i++) members[i].Advantage = advantages[i];
            if (options.AdvantageEstimator == AdvantageEstimator.Sign)
                foreach (GroupRow row in members.Where(r => !r.IsDemonstration)) row.Advantage = row.IsCorrect ? 1 : -1;
        }

        GroupRow[] rows = [.. groups.SelectMany(g => g.Members)];
        // All rows count here whatever the baseline: where every sample fails, their deviation is 0, and a demonstration divided by it would be boundless.
        if (options.AdvantageEstimator is AdvantageEstimator.ReinforcePlusPlus or AdvantageEstimator.ReinforcePlusPlusBaseline) NormalizeOverTokens(rows);
        if (options.ScaleRewards == RewardScaling.Batch) DivideByBatchDeviation(rows);
    }

    /// <summary>
    /// HPT's switch (arXiv 2509.04419): of a group that was given demonstrations, they alone are learnt from, with advantage 1 where they are members
    /// of the group. The gate has decided before which groups those are.
    /// </summary>
    /// <param name="groups">The groups, their advantages assigned.</param>
    public static void SwitchToImitation(IReadOnlyList<RolloutGroup> groups)
    {
        foreach (RolloutGroup group in groups.Where(g => g.Rows.Exists(r => r.IsDemonstration)))
        {
            foreach (GroupRow row in group.Rows)
            {
                row.LeftOut |= !row.IsDemonstration;
                row.Advantage = row.LeftOut ? 0 : 1;
            }
        }
    }

    private static void NormalizeOverTokens(GroupRow[] rows)
    {
        double[] advantages = Advantage.NormalizedOverTokens([.. rows.Select(r => r.Advantage)], [.. rows.Select(r => r.ResponseLength)]);
        for (int i = 0; i < rows.Length; i++) rows[i].Advantage = advantages[i];
    }

    private static void DivideByBatchDeviation(GroupRow[] rows)
    {
        double[] all = [.. rows.Select(r => r.Reward)];
        double mean = all.Average(), deviation = all.Length > 1 ? Math.Sqrt(all.Sum(r => (r - mean) * (r - mean)) / (all.Length - 1)) : 1;
        foreach (GroupRow row in rows) row.Advantage /= deviation + 1e-6;
    }
}
