namespace Luffy.Engine.Rewards;

/// <summary>How one answer compares with its gold.</summary>
/// <param name="Correct">Whether they are the same answer.</param>
/// <param name="Gold">The gold answer that was found, or null where there is none.</param>
/// <param name="Answer">The answer that was found, or null where there is none.</param>
public sealed record VerifyRecord(bool Correct, string? Gold, string? Answer);
