namespace Luffy.Engine.Configuration;

/// <summary>What a run writes and prints.</summary>
public sealed record LoggingOptions
{
    /// <summary>Print a line every this many steps.</summary>
    [Bounds(Minimum = 1)]
    public int LoggingSteps { get; init; } = 1;

    /// <summary>Print sample completions every this many steps; 0 means never.</summary>
    [Bounds(Minimum = 0)]
    public int LogCompletionsSteps { get; init; } = 20;

    /// <summary>How many completions are printed each time.</summary>
    [Bounds(Minimum = 1)]
    public int NumCompletionsToPrint { get; init; } = 1;

    /// <summary>Where metrics and rollouts are written.</summary>
    public IReadOnlyList<ReportTarget> ReportTo { get; init; } = [ReportTarget.Jsonl, ReportTarget.Rollouts];

    /// <summary>Save a checkpoint every this many steps; 0 means only at the end.</summary>
    [Bounds(Minimum = 0)]
    public int SaveSteps { get; init; } = 50;

    /// <summary>Keep this many newest checkpoints; null means all.</summary>
    [Bounds(Minimum = 1)]
    public int? SaveTotalLimit { get; init; } = 2;
}
