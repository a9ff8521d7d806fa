namespace Luffy.Engine.Rl;

/// <summary>
/// The training rows of an update, out of groups. A row of a group is at most two of them: a member of the group, with its advantage, and a row of
/// the supervised loss.
/// </summary>
/// <param name="Rows">All rows that count in a denominator, in the order of the groups.</param>
/// <param name="HasGradient">Which of them are passed; the others belong to a group without signal.</param>
public sealed record UpdateRows(IReadOnlyList<TrainingRow> Rows, IReadOnlyList<bool> HasGradient)
{
    /// <summary>Makes the rows.</summary>
    /// <param name="groups">Their advantages and weights are assigned.</param>
    /// <param name="maskTruncated">Leave out completions that were cut off.</param>
    /// <param name="referenceLogProbs">ln π_ref of the rows of groups with signal, where it is needed.</param>
    public static UpdateRows Of(IReadOnlyList<RolloutGroup> groups, bool maskTruncated, IReadOnlyDictionary<GroupRow, float[]>? referenceLogProbs)
    {
        var rows = new List<TrainingRow>();
        var gradients = new List<bool>();
        foreach (RolloutGroup group in groups)
        {
            bool signal = group.HasSignal;
            foreach (GroupRow row in group.Rows)
            {
                if (TakesPart(row, maskTruncated)) Add(Member(row, signal ? referenceLogProbs?[row] : null), signal);
                if (row.ImitationWeight > 0) Add(Imitated(row), true);
            }
        }

        return new UpdateRows(rows, gradients);

        void Add(TrainingRow row, bool gradient)
        {
            rows.Add(row);
            gradients.Add(gradient);
        }
    }

    /// <summary>Whether a row counts in the denominators of reinforcement learning.</summary>
    public static bool TakesPart(GroupRow row, bool maskTruncated) => !row.LeftOut && !(row.Truncated && maskTruncated);

    /// <summary>The row as a member of its group.</summary>
    public static TrainingRow Member(GroupRow row, float[]? referenceLogProbs = null) => new()
    {
        Ids = row.Ids,
        PromptLength = row.PromptLength,
        OffPolicyTokens = row.OffPolicyTokens,
        Advantage = (float)row.Advantage,
        PrefixAdvantage = (float?)row.PrefixAdvantage,
        OldLogProbs = row.LogProbs,
        BehaviorLogProbs = row.BehaviorLogProbs,
        ReferenceLogProbs = referenceLogProbs,
        Weight = (float)row.LossWeight,
        TokenWeights = row.TokenWeights,
    };

    private static TrainingRow Imitated(GroupRow row) => new()
    {
        Ids = row.Ids,
        PromptLength = row.PromptLength,
        OffPolicyTokens = row.ResponseLength,
        Advantage = 1,
        Imitated = true,
        Weight = (float)row.ImitationWeight,
    };
}
