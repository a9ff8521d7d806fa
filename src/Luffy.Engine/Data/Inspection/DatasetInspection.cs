namespace Luffy.Engine.Data.Inspection;

/// <summary>What <c>luffy data inspect</c> found.</summary>
public sealed record DatasetInspection
{
    /// <summary>The files, in the order in which they are read.</summary>
    public required IReadOnlyList<string> Files { get; init; }

    /// <summary>JSONL, JSON or Parquet.</summary>
    public required string Format { get; init; }

    /// <summary>Rows read.</summary>
    public required long Rows { get; init; }

    /// <summary>Names of the fields at the top.</summary>
    public required IReadOnlyList<string> Columns { get; init; }

    /// <summary>What was recognised, and which field holds what.</summary>
    public required string Layout { get; init; }

    /// <summary>Rows by data source, in the order in which they first appear.</summary>
    public required OrderedDictionary<string, long> Sources { get; init; }

    /// <summary>Rows that data_sources leaves out.</summary>
    public required long OtherSources { get; init; }

    /// <summary>Prompts that are all different: the message texts and the gold answer.</summary>
    public required long DistinctPrompts { get; init; }

    /// <summary>How many prompts there are that often: 32 → 30 means that 30 prompts stand in the file 32 times each.</summary>
    public required SortedDictionary<int, long> Repetitions { get; init; }

    /// <summary>Rows with a demonstration, before any is refused.</summary>
    public required long RowsWithDemonstration { get; init; }

    /// <summary>Demonstrations, before any is refused.</summary>
    public required long Demonstrations { get; init; }

    /// <summary>Demonstrations with log-probs that the teacher recorded.</summary>
    public required long DemonstrationsWithLogProbs { get; init; }

    /// <summary>Characters of prompts, all messages together.</summary>
    public LengthSummary? PromptCharacters { get; init; }

    /// <summary>Characters of demonstrations.</summary>
    public LengthSummary? DemonstrationCharacters { get; init; }

    /// <summary>Tokens of prompts as the model's template renders them; null without a model.</summary>
    public LengthSummary? PromptTokens { get; init; }

    /// <summary>Tokens of the demonstrations that are kept; null without a model.</summary>
    public LengthSummary? DemonstrationTokens { get; init; }

    /// <summary>What training would keep and leave out. Without a model what tokens decide is not known.</summary>
    public required DatasetReport Report { get; init; }

    /// <summary>Whether a model's tokenizer took part.</summary>
    public required bool WithModel { get; init; }

    /// <summary>The first rows as training reads them.</summary>
    public required IReadOnlyList<PromptExample> Samples { get; init; }
}
