using Luffy.Engine.Data;
using Luffy.Engine.Rewards;

namespace Luffy.Engine.Rl;

/// <summary>One answer to a prompt, sampled or demonstrated, with its reward and advantage.</summary>
public sealed class GroupRow
{
    /// <summary>Prompt and response.</summary>
    public required int[] Ids { get; init; }

    /// <summary>Tokens of the prompt.</summary>
    public required int PromptLength { get; init; }

    /// <summary>Leading response tokens from a demonstration: all, the given prefix, or none.</summary>
    public required int OffPolicyTokens { get; init; }

    /// <summary>
    /// ln π of each response token when it was sampled, NaN for given ones; null for a demonstration. Where rl_plus makes several updates of a step, given
    /// ones have that of the policy before the first.
    /// </summary>
    public float[]? LogProbs { get; set; }

    /// <summary>True where the longest completion allowed cut it off.</summary>
    public bool Truncated { get; init; }

    /// <summary>
    /// ln of the probability that each response token had where it was written: of a replayed success π_past, of a demonstration what the teacher
    /// recorded, NaN for a token without; null for other rows.
    /// </summary>
    public float[]? BehaviorLogProbs { get; init; }

    /// <summary>Whether it is a past success of the policy itself.</summary>
    public bool Replayed { get; init; }

    /// <summary>The response as text.</summary>
    public required string Text { get; init; }

    /// <summary>What the rewards said.</summary>
    public required RewardResult Result { get; init; }

    /// <summary>Added to what the rewards said where the response is nearly too long: from −1 to 0.</summary>
    public double OverlongPenalty { get; init; }

    /// <summary>The reward that advantages are made of.</summary>
    public double Reward => Result.Value + OverlongPenalty;

    /// <summary>Whether the verifier calls the answer right; with several rewards their sum does not tell.</summary>
    public required bool IsCorrect { get; init; }

    /// <summary>Its advantage within the group.</summary>
    public double Advantage { get; set; }

    /// <summary>The advantage of its off-policy tokens where they do not have the row's; null where they do.</summary>
    public double? PrefixAdvantage { get; set; }

    /// <summary>
    /// True where the row is no member of its group: it has no part in advantages, in the loss of reinforcement learning and in that loss's
    /// denominators, though it was scored.
    /// </summary>
    public bool LeftOut { get; set; }

    /// <summary>The weight of the supervised loss on this row, beside what it does as a member of its group; 0 for none.</summary>
    public double ImitationWeight { get; set; }

    /// <summary>A factor on the row's loss of reinforcement learning.</summary>
    public double LossWeight { get; set; } = 1;

    /// <summary>A factor on that loss for each response token; null means 1 for all.</summary>
    public float[]? TokenWeights { get; set; }

    /// <summary>Tokens of the response.</summary>
    public int ResponseLength => Ids.Length - PromptLength;

    /// <summary>True for a whole demonstration, or a replayed success.</summary>
    public bool IsDemonstration => OffPolicyTokens == ResponseLength && OffPolicyTokens > 0;
}

/// <summary>A prompt with all its rows.</summary>
/// <param name="Prompt">The prompt.</param>
/// <param name="Rows">Sampled rows in order of their number, then demonstrations.</param>
public sealed record RolloutGroup(TokenizedPrompt Prompt, List<GroupRow> Rows)
{
    /// <summary>Sampled rows that the verifier judged correct.</summary>
    public int SolvedSamples => Rows.Count(r => !r.IsDemonstration && r.IsCorrect);

    /// <summary>Sampled rows.</summary>
    public int Samples => Rows.Count(r => !r.IsDemonstration);

    /// <summary>The rows that are compared with each other: all that are not left out.</summary>
    public IEnumerable<GroupRow> Members => Rows.Where(r => !r.LeftOut);

    /// <summary>True where some members are correct and some are not.</summary>
    public bool IsMixed => Members.Any(r => r.IsCorrect) && Members.Any(r => !r.IsCorrect);

    /// <summary>False where all members have the same reward.</summary>
    public bool HasRewardSpread => Members.Select(r => r.Reward).Distinct().Skip(1).Any();

    /// <summary>False where every advantage is zero: the group teaches nothing and is left out of the backward pass.</summary>
    public bool HasSignal => Rows.Any(r => r.Advantage != 0 || r.PrefixAdvantage > 0);
}
