using Luffy.Engine.Data;

namespace Luffy.Engine.Rewards;

/// <summary>What a reward function said of one completion.</summary>
/// <param name="Value">The reward, usually 0 or 1.</param>
/// <param name="Extracted">The answer that was found in the completion, or null where there was none.</param>
/// <param name="Note">Why the completion scored as it did, where that is not obvious (no closing tag, malformed number).</param>
public readonly record struct RewardResult(double Value, string? Extracted, string? Note = null);

/// <summary>Scores completions. Implementations are pure and safe to call from several threads; they never throw on any text.</summary>
public interface IReward
{
    /// <summary>The name that the configuration's <c>reward_funcs</c> uses.</summary>
    string Name { get; }

    /// <summary>Scores one completion (the text after the generation prompt, without end-of-text) against the example's gold answer.</summary>
    RewardResult Score(PromptExample example, string completion);
}
