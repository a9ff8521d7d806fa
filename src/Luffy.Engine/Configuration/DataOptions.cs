using Luffy.Engine.Data.Tasks;

namespace Luffy.Engine.Configuration;

/// <summary>The prompts, their gold answers and their demonstrations.</summary>
public sealed record DataOptions
{
    /// <summary>A JSONL file, or <c>builtin</c> for the reasoning tasks that come along.</summary>
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

    /// <summary>Which fields of a row hold what; all but <c>prompt</c> may be left out.</summary>
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
}
