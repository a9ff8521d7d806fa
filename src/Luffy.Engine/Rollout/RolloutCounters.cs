namespace Luffy.Engine.Rollout;

/// <summary>What a <see cref="RolloutEngine"/> has done since it was made.</summary>
/// <param name="PrefillTokens">Prompt tokens that passed through the model.</param>
/// <param name="PrefillSeconds">Time of the forward passes with such tokens, rows that decode along included.</param>
/// <param name="DecodeSteps">Forward passes that only decode.</param>
/// <param name="DecodeTokens">Tokens drawn by those.</param>
/// <param name="DecodeSeconds">Time of those.</param>
public readonly record struct RolloutCounters(long PrefillTokens, double PrefillSeconds, long DecodeSteps, long DecodeTokens, double DecodeSeconds)
{
    /// <summary>Both together.</summary>
    public static RolloutCounters operator +(in RolloutCounters a, in RolloutCounters b) => new(a.PrefillTokens + b.PrefillTokens,
        a.PrefillSeconds + b.PrefillSeconds, a.DecodeSteps + b.DecodeSteps, a.DecodeTokens + b.DecodeTokens, a.DecodeSeconds + b.DecodeSeconds);

    /// <summary>What was done between two readings.</summary>
    public static RolloutCounters operator -(in RolloutCounters later, in RolloutCounters earlier) => new(later.PrefillTokens - earlier.PrefillTokens,
        later.PrefillSeconds - earlier.PrefillSeconds, later.DecodeSteps - earlier.DecodeSteps, later.DecodeTokens - earlier.DecodeTokens,
        later.DecodeSeconds - earlier.DecodeSeconds);
}
