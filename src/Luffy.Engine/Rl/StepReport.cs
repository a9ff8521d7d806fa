using Luffy.Engine.Reporting;

namespace Luffy.Engine.Rl;

/// <summary>The figures of a step, under TRL's names and those of the reference implementation. Empty sets give 0, never NaN.</summary>
internal static class StepReport
{
    public static void Fill(StepMetrics m, SampledGroups sampled, UpdateLog log, bool imitation)
    {
        IReadOnlyList<RolloutGroup> groups = sampled.Groups;
        GroupRow[] rows = [.. groups.SelectMany(g => g.Rows)], on = [.. rows.Where(r => !r.IsDemonstration)], off = [.. rows.Where(r => r.IsDemonstration)];
        if (!imitation)
        {
            m["reward"] = Mean(on, r => r.Reward);
            m["reward_std"] = Deviation([.. on.Select(r => r.Reward)]);
            m["frac_reward_zero_std"] = Share(groups, g => !g.HasRewardSpread);
            m["completions/mean_length"] = Mean(on, r => r.ResponseLength);
            m["completions/max_length"] = Largest(on, r => r.ResponseLength);
            m["completions/clipped_ratio"] = Mean(on, r => r.Truncated ? 1 : 0);
        }

        Actor(m, log);
        if (!imitation) Sampling(m, log);
        m["batch/solve_none"] = groups.Count(SolvedNone);
        m["batch/solve_all"] = groups.Count(SolvedAll);
        if (!imitation)
        {
            m["batch/imitated_groups"] = groups.Count(g => g.Rows.Exists(r => r.LeftOut && !r.IsDemonstration) || g.Rows.Exists(r => r.ImitationWeight > 0));
            m["batch/resample_times"] = sampled.Resamplings;
            m["batch/replaced_groups"] = sampled.Replaced.Count;
            m["batch/replaced_solve_none"] = sampled.Replaced.Count(SolvedNone);
            m["batch/replaced_solve_all"] = sampled.Replaced.Count(SolvedAll);
        }

        m["batch/on_solved"] = Mean(on, Solved);
        m["batch/off_solved"] = Mean(off, Solved);
        m["batch/avg_prefix_ratio"] = Mean([.. on.Where(r => r.OffPolicyTokens > 0)], r => (double)r.OffPolicyTokens / r.ResponseLength);
        m["batch/guided_groups"] = groups.Count(g => g.Rows.Exists(r => r.OffPolicyTokens > 0));
        m["batch/dropped_rows"] = groups.Where(g => !g.HasSignal).Sum(g => g.Rows.Count(r => r.ImitationWeight == 0));
        m["on_off_metrics/on_response_length_mean"] = Mean(on, r => r.ResponseLength);
        m["on_off_metrics/off_response_length_mean"] = Mean(off, r => r.ResponseLength);
        m["on_off_metrics/on_score"] = Mean(on, r => r.Result.Value);
        m["on_off_metrics/off_score"] = Mean(off, r => r.Result.Value);
        m["on_off_metrics/off_on_example_ratio"] = on.Length == 0 ? 0 : (double)off.Length / on.Length;
        foreach ((string name, Func<GroupRow, double> figure) in new (string, Func<GroupRow, double>)[]
            { ("score", r => r.Result.Value), ("rewards", r => r.Reward), ("advantages", r => r.Advantage) })
        {
            m[$"critic/{name}/mean"] = Mean(rows, figure);
            m[$"critic/{name}/max"] = Largest(rows, figure);
            m[$"critic/{name}/min"] = -Largest(rows, r => -figure(r));
        }

        m["response_length/mean"] = Mean(rows, r => r.ResponseLength);
        m["response_length/max"] = Largest(rows, r => r.ResponseLength);
        m["response_length/min"] = -Largest(rows, r => -r.ResponseLength);
        m["response_length/clip_ratio"] = Mean(rows, r => r.Truncated ? 1 : 0);
    }

    /// <summary>Imitation between the updates of reinforcement learning, under the names of ReLIFT's code where it has them.</summary>
    public static void Imitation(StepMetrics m, UpdateLog log, double rate, long prompts, int waiting)
    {
        m["actor/sft_loss"] = Mean(log, e => e.Statistics.Loss);
        m["actor/sft_grad_norm"] = Mean(log, e => e.Result.GradientNorm);
        m["actor/sft_lr"] = rate;
        m["actor/sft_updates"] = log.Entries.Count;
        m["actor/sft_skipped_updates"] = log.Entries.Count(e => !e.Result.Applied);
        m["batch/imitated_prompts"] = prompts;
        m["batch/failed_prompts_waiting"] = waiting;
    }

    /// <summary>The store of past successes after the step, and what the step took out of it.</summary>
    public static void Experience(StepMetrics m, ExperienceStore store, IReadOnlyList<RolloutGroup> groups)
    {
        m["experience/replayed_groups"] = groups.Count(g => g.Rows.Exists(r => r.Replayed));
        m["experience/started"] = store.Started ? 1 : 0;
        m["experience/prompts"] = store.Prompts;
        m["experience/successes"] = store.Successes;
        m["experience/tokens"] = store.Tokens;
        m["experience/retired"] = store.Retired;
    }

    // The token statistics are those of the first update; loss, clipping and norms are means over all updates of the step.
    private static void Actor(StepMetrics m, UpdateLog log)
    {
        Actor(m, log.First, Mean(log, e => e.Result.GradientNorm));
        m["loss"] = Mean(log, e => e.Statistics.Loss);
        m["actor/pg_loss"] = Mean(log, e => e.Statistics.PolicyLoss);
        m["actor/supervised_loss"] = Mean(log, e => e.Statistics.ImitationLoss);
        m["actor/pg_clipfrac"] = Mean(log, e => e.Statistics.OnPolicy.Mean(e.Statistics.OnPolicy.Bounded));
        m["clip_ratio/region_mean"] = m["actor/pg_clipfrac"];
        m["actor/ppo_kl"] = Mean(log, e => e.Statistics.OnPolicy.Mean(e.Statistics.OnPolicy.OldMinusNew));
        // The norm of the demonstrations' gradient over that of the whole; the two parts need not point the same way, so it can exceed 1.
        if (log.Entries.All(e => e.OffPolicyNorm is not null))
            m["actor/off_grad_norm_share"] = Mean(log, e => e.Result.GradientNorm > 0 ? e.OffPolicyNorm!.Value / e.Result.GradientNorm : 0);
        m["actor/skipped_updates"] = log.Entries.Count(e => !e.Result.Applied);
    }

    /// <summary>The statistics of one update.</summary>
    public static void Actor(StepMetrics m, PolicyStatistics statistics, double gradientNorm)
    {
        PolicyStatistics.Sums on = statistics.OnPolicy, off = statistics.Demonstrated;
        long tokens = on.Tokens + off.Tokens;
        m["loss"] = statistics.Loss;
        m["entropy"] = on.Tokens > 0 ? on.Mean(on.Entropy) : off.Mean(off.Entropy);
        m["actor/pg_loss"] = statistics.PolicyLoss;
        m["actor/on_pg_loss"] = on.Mean(on.PolicyLoss);
        m["actor/off_pg_loss"] = off.Mean(off.PolicyLoss);
        m["actor/supervised_loss"] = statistics.ImitationLoss;
        m["actor/pg_clipfrac"] = on.Mean(on.Bounded);
        m["actor/ppo_kl"] = on.Mean(on.OldMinusNew);
        m["actor/on_policy_prob"] = on.Mean(on.Probability);
        m["actor/off_policy_prob"] = off.Mean(off.Probability);
        m["actor/on_policy_logprob"] = on.Mean(on.LogProb);
        m["actor/off_policy_logprob"] = off.Mean(off.LogProb);
        m["actor/off_ratio_mean"] = off.Mean(off.Weight);
        m["actor/off_ratio_max_clip_frac"] = off.Mean(off.AboveUpperBound);
        m["actor/off_ratio_min_clip_frac"] = off.Mean(off.BelowLowerBound);
        m["actor/dropped_by_max_probability"] = tokens == 0 ? 0 : (double)(on.Dropped + off.Dropped) / tokens;
        m["actor/entropy_loss"] = tokens == 0 ? 0 : (on.Entropy + off.Entropy) / tokens;
        m["actor/on_entropy"] = on.Mean(on.Entropy);
        m["actor/off_entropy"] = off.Mean(off.Entropy);
        m["actor/on_gradient_weight"] = on.Mean(on.GradientWeight);
        m["actor/off_gradient_weight"] = off.Mean(off.GradientWeight);
        m["actor/kl_loss"] = tokens == 0 ? 0 : (on.Kl + off.Kl) / tokens;
        m["actor/grad_norm"] = gradientNorm;
        for (int i = 0; i < PolicyStatistics.ProbabilityEdges.Length; i++)
            m[$"actor/off_prob_histogram/le_{PolicyStatistics.ProbabilityEdges[i]:0.###}"] = off.Mean(off.ProbabilityHistogram[i]);
    }

    private static void Sampling(StepMetrics m, UpdateLog log)
    {
        PolicyStatistics first = log.First;
        m["sampling/sampling_logp_difference/max"] = first.MaxLogProbDifference;
        m["sampling/sampling_logp_difference/mean"] = first.OnPolicy.Mean(first.SumLogProbDifference);
    }

    private static double Mean(UpdateLog log, Func<UpdateLog.Entry, double> figure) => log.Entries.Count == 0 ? 0 : log.Entries.Average(figure);

    private static bool SolvedNone(RolloutGroup group) => group.Samples > 0 && group.SolvedSamples == 0;

    private static bool SolvedAll(RolloutGroup group) => group.Samples > 0 && group.SolvedSamples == group.Samples;

    private static double Solved(GroupRow row) => row.IsCorrect ? 1 : 0;

    private static double Share<T>(IReadOnlyCollection<T> items, Func<T, bool> test) => items.Count == 0 ? 0 : (double)items.Count(test) / items.Count;

    private static double Mean(GroupRow[] rows, Func<GroupRow, double> figure) => rows.Length == 0 ? 0 : rows.Average(figure);

    private static double Largest(GroupRow[] rows, Func<GroupRow, double> figure) => rows.Length == 0 ? 0 : rows.Max(figure);

    private static double Deviation(double[] values)
    {
        if (values.Length < 2) return 0;
        double mean = values.Average();
        return Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Length - 1));
    }
}
