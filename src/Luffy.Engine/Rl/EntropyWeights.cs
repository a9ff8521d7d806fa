using Luffy.Engine.Configuration;

namespace Luffy.Engine.Rl;

/// <summary>
/// Weights that the policy's entropy decides: of the supervised loss and of right samples (SRFT, arXiv 2506.19767), and of the tokens of prefixes
/// (Prefix-RFT, arXiv 2507.01679). They are worked out once a step over all its rows, before its first update, so no packing and no number of
/// mini-batches changes them, and they are constants to the gradient.
/// </summary>
public static class EntropyWeights
{
    /// <summary>Multiplies the weights of the groups' rows.</summary>
    /// <param name="groups">The groups of a step, their weights assigned so far.</param>
    /// <param name="config">Which weights there are.</param>
    /// <param name="entropies">The entropy of the policy before each response token of some rows, in nats; called once, or not where no weight needs it.</param>
    public static void Apply(IReadOnlyList<RolloutGroup> groups, TrainingConfiguration config, Func<IReadOnlyList<TrainingRow>, IReadOnlyList<float[]>> entropies)
    {
        GroupRow[] all = [.. groups.SelectMany(g => g.Rows)];
        GroupRow[] imitated = config.Supervised.SftLossEntropyWeight ? [.. all.Where(r => r.ImitationWeight > 0)] : [];
        GroupRow[] samples = config.Reward.PositiveEntropyCoef is null ? [] : [.. all.Where(r => !r.IsDemonstration && !r.LeftOut)];
        GroupRow[] prefixed = config.Guidance.PrefixTopEntropy is null ? [] : [.. all.Where(r => r.OffPolicyTokens > 0 && !r.IsDemonstration)];
        GroupRow[] needed = [.. all.Where(imitated.Concat(samples).Concat(prefixed).ToHashSet().Contains)];
        if (needed.Length == 0) return;

        IReadOnlyList<float[]> scored = entropies([.. needed.Select(r => UpdateRows.Member(r))]);
        Dictionary<GroupRow, float[]> entropy = needed.Zip(scored).ToDictionary(p => p.First, p => p.Second);
        foreach (GroupRow row in imitated) row.ImitationWeight *= Math.Exp(-Mean(imitated, entropy));
        foreach (GroupRow row in samples.Where(r => r.IsCorrect)) row.LossWeight *= config.Reward.PositiveEntropyCoef!.Value * Math.Exp(Mean(samples, entropy));
        if (prefixed.Length > 0) KeepTop(prefixed, entropy, config.Guidance.PrefixTopEntropy!.Value);
    }

    private static double Mean(GroupRow[] rows, Dictionary<GroupRow, float[]> entropy) => rows.SelectMany(r => entropy[r]).Average(h => (double)h);

    // Of equal entropies the token that comes later in the step stays, as after a stable ascending sort.
    private static void KeepTop(GroupRow[] rows, Dictionary<GroupRow, float[]> entropy, double share)
    {
        (GroupRow Row, int Token)[] tokens = [.. rows.SelectMany(r => Enumerable.Range(0, r.OffPolicyTokens).Select(t => (r, t)))];
        // A share such as 0.7 has no exact binary form: 0.7 · 10 may lie beside 7.
        int dropped = tokens.Length - (int)Math.Ceiling((share * tokens.Length) - 1e-9);
        foreach (GroupRow row in rows)
        {
            row.TokenWeights = new float[row.ResponseLength];
            Array.Fill(row.TokenWeights, 1);
        }

        foreach ((GroupRow row, int token) in tokens.OrderBy(t => entropy[t.Row][t.Token]).Take(dropped)) row.TokenWeights![token] = 0;
    }
}
