using Luffy.Engine.Data;

namespace Luffy.Engine.Rewards;

/// <summary>
/// Accuracy: 1 where the last <c>\boxed{}</c> after the first <c>&lt;/think&gt;</c>, with those that it is listed with, is the gold answer, or
/// one of several, else 0. A completion that never closes its thought scores 0, as in the reference.
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
        if (AnswerExtraction.Boxed(rest) is not [{ Length: > 0 }, ..] readings) return new RewardResult(0, null, "no \\boxed{} after </think>");
        var result = Grade(example.Answer, readings);
        for (int i = 0; result.Value < 1 && i < example.AlternativeAnswers.Count; i++)
            if (Grade(example.AlternativeAnswers[i], readings) is { Value: 1 } other) result = other;
        return result;
    }

    private static RewardResult Grade(string answer, IReadOnlyList<string> readings)
    {
        if (MathVerifier.GoldReadings(answer) is not { Count: > 0 } golds) return new RewardResult(0, readings[0], "no gold answer");
        var (grade, _, found) = MathVerifier.Compare(golds, readings);
        return new RewardResult(grade.Correct ? 1 : 0, found, grade.Reason);
    }
}
