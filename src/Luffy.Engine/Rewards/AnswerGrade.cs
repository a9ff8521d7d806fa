namespace Luffy.Engine.Rewards;

/// <summary>Whether an answer is the gold one.</summary>
/// <param name="Correct">Whether it is.</param>
/// <param name="Reason">Why it could not be told otherwise: a bound that was passed, or what could not be read; null where both were understood.</param>
public readonly record struct AnswerGrade(bool Correct, string? Reason = null);
