using Luffy.Engine.Data;

namespace Luffy.Engine.Rewards;

/// <summary>
/// Accuracy: 1 where the last <c>\boxed{}</c> after the first <c>&lt;/think&gt;</c> is the gold answer, else 0. A completion that never closes
/// its thought scores 0, as in the reference.
/// </summary>
public sealed class MathReward : IReward
{
    /// <inheritdoc/>
    public string Name => "math";

    /// <inheritdoc/>
    public RewardResult Score(PromptExample example, string completion)
    {
        ArgumentNullException.ThrowIfNull(example);
        if (AnswerExtraction.AfterThought(completion) is not { } rest) return new RewardResult(0, null, "no </think>");
        if (AnswerExtraction.LastBoxed(rest) is not { Length: > 0 } answer) return new RewardResult(0, null, "no \\boxed{} after </think>");
        if (MathVerifier.ExtractGold(example.Answer) is not { } gold) return new RewardResult(0, answer, "no gold answer");
        var grade = MathVerifier.Compare(gold, answer);
        return new RewardResult(grade.Correct ? 1 : 0, answer, grade.Reason);
    }
}
