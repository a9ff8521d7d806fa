using Luffy.Engine.Data;

namespace Luffy.Engine.Rewards;

/// <summary>Form alone: 1 where the completion closes its thought exactly once and a non-empty <c>\boxed{}</c> follows, else 0.</summary>
public sealed class FormatReward : IReward
{
    /// <inheritdoc/>
    public string Name => "format";

    /// <inheritdoc/>
    public RewardResult Score(PromptExample example, string completion)
    {
        if (AnswerExtraction.AfterThought(completion) is not { } rest) return new RewardResult(0, null, "no </think>");
        if (rest.Contains(AnswerExtraction.ThinkEnd, StringComparison.Ordinal)) return new RewardResult(0, null, "more than one </think>");
        return AnswerExtraction.LastBoxed(rest) is { Length: > 0 } answer
            ? new RewardResult(1, answer) : new RewardResult(0, null, "no \\boxed{} after </think>");
    }
}
