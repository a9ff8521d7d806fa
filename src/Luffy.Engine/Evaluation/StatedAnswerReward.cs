using Luffy.Engine.Data;
using Luffy.Engine.Rewards;

namespace Luffy.Engine.Evaluation;

/// <summary>
/// Accuracy for models that were not taught the reward's form: without a <c>\boxed{}</c> what the text announces as its answer counts
/// (<c>ANSWER: C</c>, "the answer is 5"), and no thought has to be closed. See <see cref="MathVerifier.Verify"/>.
/// </summary>
public sealed class StatedAnswerReward : IReward
{
    /// <inheritdoc/>
    public string Name => "stated";

    /// <inheritdoc/>
    public RewardResult Score(PromptExample example, string completion)
    {
        ArgumentNullException.ThrowIfNull(example);
        VerifyRecord record = MathVerifier.Verify(example.Answer, completion);
        for (int i = 0; !record.Correct && i < example.AlternativeAnswers.Count; i++) record = MathVerifier.Verify(example.AlternativeAnswers[i], completion);
        return new RewardResult(record.Correct ? 1 : 0, record.Answer, record.Answer is null ? "no answer" : null);
    }
}
