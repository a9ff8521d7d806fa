using System.Text.Json;
using Luffy.Engine.Configuration;
using Luffy.Engine.Data.Rows;

namespace Luffy.Engine.Data;

/// <summary>Which fields of a file hold what: as the configuration says, or as the fields themselves tell.</summary>
internal sealed record ColumnMapping
{
    /// <summary>The dataset whose layout was recognised, or null where the configuration names the columns.</summary>
    public string? Layout { get; init; }

    public required string Prompt { get; init; }

    public required string Answer { get; init; }

    public string? Demonstration { get; init; }

    public IReadOnlyList<string> Flags { get; init; } = [];

    public string? LogProbs { get; init; }

    public string? Id { get; init; }

    public string? Source { get; init; }

    public string? System { get; init; }

    public string? AnswerAfter { get; init; }

    /// <summary>The gold answer is the last box of a worked solution.</summary>
    public bool AnswerInBox { get; init; }

    public string? DemonstrationTemplate { get; init; }

    /// <summary>The fields at the top that are read.</summary>
    public IReadOnlySet<string> Fields(IEnumerable<string> columns)
    {
        string[] paths = [.. new[] { Prompt, Answer, Demonstration, LogProbs, Id, Source, System }.Concat(Flags).OfType<string>()];
        return columns.Where(column => Array.Exists(paths, path => path == column || path.StartsWith(column + '.', StringComparison.Ordinal))).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>What is read from where, in words.</summary>
    public string Describe()
    {
        List<string> parts = [$"prompt from {Prompt}", $"answer from {Answer}{(AnswerInBox ? " (its last box)" : AnswerAfter is { } mark ? $" (after {mark})" : "")}"];
        if (Demonstration is not null) parts.Add($"demonstrations from {Demonstration}{(Flags.Count > 0 ? $" where {string.Join(" and ", Flags)}" : "")}");
        if (LogProbs is not null) parts.Add($"the teacher's log-probs from {LogProbs}");
        if (Source is not null) parts.Add($"data source from {Source}");
        if (Id is not null) parts.Add($"id from {Id}");
        return $"{(Layout is null ? "columns as configured" : $"recognised {Layout}")}: {string.Join(", ", parts)}";
    }

    /// <summary>The mapping of a file.</summary>
    /// <param name="options">What the configuration says.</param>
    /// <param name="file">The file, for its columns.</param>
    /// <exception cref="LuffyException">Nothing is named and nothing is recognised.</exception>
    public static ColumnMapping Of(DataOptions options, RowFile file)
    {
        ColumnOptions named = options.Columns;
        if (named.Prompt is not null || named.Answer is not null)
            return With(new ColumnMapping { Prompt = named.Prompt ?? "prompt", Answer = named.Answer ?? "answer" }, options);
        IReadOnlyList<string> columns = file.Columns;
        if (columns.Count == 0) throw new LuffyException($"{file.Path}: found no row, expected at least one JSON object; the dataset is empty.");
        return Recognize(columns, file) is { } known
            ? With(known, options)
            : throw new LuffyException($"{file.Path}: found the columns {string.Join(", ", columns)}, which are of no layout known here; set columns.prompt and columns.answer (and columns.demonstration) in the configuration.");
    }

    private static ColumnMapping With(ColumnMapping mapping, DataOptions options) => mapping with
    {
        Demonstration = options.Columns.Demonstration ?? mapping.Demonstration,
        Flags = options.Columns.DemonstrationFlags ?? (options.Columns.Demonstration is null ? mapping.Flags : []),
        LogProbs = options.Columns.DemonstrationLogprobs,
        Id = options.Columns.Id,
        Source = options.Columns.Source ?? mapping.Source,
        System = options.Columns.System,
        AnswerAfter = options.AnswerAfter ?? (options.AnswerPattern is null ? mapping.AnswerAfter : null),
        AnswerInBox = mapping.AnswerInBox && options.AnswerAfter is null && options.AnswerPattern is null,
        DemonstrationTemplate = options.DemonstrationTemplate ?? (options.Columns.Demonstration is null ? mapping.DemonstrationTemplate : null),
    };

    private static ColumnMapping? Recognize(IReadOnlyList<string> columns, RowFile file)
    {
        bool Has(string column) => columns.Contains(column);
        string? If(string column) => Has(column) ? column : null;
        string? source = If("data_source") ?? If("source");
        if (Has("prompt") && Has("reward_model"))
            return new() { Layout = "the layout of LUFFY and verl", Prompt = "prompt", Answer = "reward_model.ground_truth", Demonstration = If("target"), Source = If("data_source") };
        if (Has("problem") && Has("answer") && Has("generations"))
        {
            return new()
            {
                Layout = "the layout of OpenR1-Math", Prompt = "problem", Answer = "answer", Demonstration = "generations", Source = source,
                Flags = [.. new[] { "correctness_math_verify", "is_reasoning_complete" }.Where(Has)],
            };
        }

        if (Has("question") && Has("answer"))
        {
            // A plain answer and GSM8K's worked solution have the same column.
            return HasMark(file, "answer")
                ? new() { Layout = "the layout of GSM8K", Prompt = "question", Answer = "answer", AnswerAfter = WorkedSolution.Mark, Demonstration = "answer", DemonstrationTemplate = WorkedSolution.Template, Source = source }
                : new() { Layout = "questions and answers", Prompt = "question", Answer = "answer", Source = source };
        }

        if (Has("problem") && (Has("solution") || Has("answer")))
        {
            return new()
            {
                Layout = "the layout of MATH", Prompt = "problem", Answer = If("answer") ?? "solution", AnswerInBox = !Has("answer"), Source = source,
                Demonstration = If("solution"), DemonstrationTemplate = Has("solution") ? WorkedSolution.Template : null,
            };
        }

        string? prompt = If("prompt") ?? If("messages");
        return prompt is not null && Has("answer") ? new() { Layout = "prompts and answers", Prompt = prompt, Answer = "answer", Demonstration = If("demonstration"), Source = source } : null;
    }

    private static bool HasMark(RowFile file, string column) =>
        file.First(column) is { } row && row[column] is { ValueKind: JsonValueKind.String } text && text.GetString()!.Contains(WorkedSolution.Mark, StringComparison.Ordinal);
}
