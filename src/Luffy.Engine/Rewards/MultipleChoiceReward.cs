using Luffy.Engine.Data;

namespace Luffy.Engine.Rewards;

/// <summary>1 where the last <c>\boxed{}</c> after the first <c>&lt;/think&gt;</c> names the gold letter (<c>B</c>, <c>(B)</c>, <c>B. seven</c>), else 0.</summary>
public sealed class MultipleChoiceReward : IReward
{
    /// <inheritdoc/>
    public string Name => "multiple_choice";

    /// <inheritdoc/>
    public RewardResult Score(PromptExample example, string completion)
    {
        ArgumentNullException.ThrowIfNull(example);
        if (AnswerExtraction.AfterThought(completion) is not { } rest) return new RewardResult(0, null, "no </think>");
        if (AnswerExtraction.LastBoxed(rest) is not { Length: > 0 } answer) return new RewardResult(0, null, "no \\boxed{} after </think>");
        if (Letter(MathVerifier.ExtractGold(example.Answer)) is not { } gold) return new RewardResult(0, answer, "the gold answer is no letter from A to J");
        return new RewardResult(Letter(answer) == gold ? 1 : 0, answer);
    }

    private static char? Letter(string? text) =>
        text is null || text.Length > AnswerText.Longest ? null : ChoiceLetter.Read(AnswerText.Value(text), lowerCase: true);
}
