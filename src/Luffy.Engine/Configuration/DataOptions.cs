using Luffy.Engine.Data.Tasks;

namespace Luffy.Engine.Configuration;

/// <summary>The prompts, their gold answers and their demonstrations.</summary>
public sealed record DataOptions
{
    /// <summary>
    /// A JSONL, JSON or Parquet file, a folder of such files or a pattern (<c>data/train-*.parquet</c>); <c>builtin</c> for the reasoning tasks that come
    /// along.
    /// </summary>
    public string DatasetName { get; init; } = "builtin";

    /// <summary>The families of the built-in tasks to train on; null means the six that are not kept for testing.</summary>
    public IReadOnlyList<string>? TaskFamilies { get; init; }

    /// <summary>The difficulty of the built-in tasks.</summary>
    [Bounds(Minimum = 1, Maximum = 3)]
    public int TaskLevel { get; init; } = 2;

    /// <summary>How the teacher of the built-in tasks writes its demonstrations.</summary>
    public TaskNotation TaskNotation { get; init; }

    /// <summary>Built-in training problems of each family; they are gone through again when all have been seen.</summary>
    [Bounds(Minimum = 1)]
    public int TasksPerFamily { get; init; } = 1000;

    /// <summary>Rows of these data sources alone are used; null means all.</summary>
    public IReadOnlyList<string>? DataSources { get; init; }

    /// <summary>Which fields of a row hold what. Layouts of well-known datasets are recognised without it.</summary>
    [OptionGroup("Data", Prefix = "columns.")]
    public ColumnOptions Columns { get; init; } = new();

    /// <summary>The gold answer is what follows the last occurrence of this text in the answer field (GSM8K: <c>####</c>).</summary>
    public string? AnswerAfter { get; init; }

    /// <summary>
    /// The gold answer is what this regular expression finds in the answer field: its first group, or all of it without one; the last
    /// match counts. Excludes answer_after.
    /// </summary>
    public string? AnswerPattern { get; init; }

    /// <summary>
    /// Makes the demonstration from the row's fields: <c>{demonstration}</c> and <c>{answer}</c> are replaced. For worked solutions
    /// that lack the format which the reward asks for; calculator annotations (<c>&lt;&lt;48/2=24&gt;&gt;</c>) and what starts with
    /// answer_after go.
    /// </summary>
    public string? DemonstrationTemplate { get; init; }

    /// <summary>Put before every conversation that has no system message of its own; <c>think</c> is the built-in request to think first.</summary>
    public string? SystemPrompt { get; init; }

    /// <summary>A Jinja template, or the path of a file with one, instead of the one that the model directory brings.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>Longer prompts are left out at load and counted. In tokens.</summary>
    [Bounds(Minimum = 1)]
    public int MaxPromptLength { get; init; } = 1024;

    /// <summary>Longer demonstrations are left out at load and counted. In tokens, end-of-text included; null means max_completion_length.</summary>
    [Bounds(Minimum = 1)]
    public int? MaxDemonstrationLength { get; init; }

    /// <summary>Which of a prompt's demonstrations are used where there are more than are wanted: the first of this order that were not left out.</summary>
    public DemonstrationOrder DemonstrationOrder { get; init; }

    /// <summary>Demonstrations kept of each prompt; null means all.</summary>
    [Bounds(Minimum = 1)]
    public int? MaxDemonstrations { get; init; }

    /// <summary>Leave out prompts of which no demonstration is left.</summary>
    public bool RequireDemonstration { get; init; }

    /// <summary>
    /// Prompts and demonstrations of up to so many MiB stay in memory, as ids; a larger dataset goes to a temporary file, of which a step reads
    /// what it needs. The order and the results are the same.
    /// </summary>
    [Bounds(Minimum = 0)]
    public int DatasetMemory { get; init; } = 1024;
}
