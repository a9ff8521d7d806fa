using Luffy.Engine.Data.Tasks;

namespace Luffy.Engine.Reporting;

/// <summary>A line of evaluations.jsonl: one measurement of a run.</summary>
public sealed record EvaluationRecord
{
    /// <summary>Steps made when it was measured.</summary>
    public required int Step { get; init; }

    /// <summary><c>validation</c> or <c>test</c>.</summary>
    public required string Split { get; init; }

    /// <summary>Greedy accuracy by family, with the means.</summary>
    public required OrderedDictionary<string, double> Accuracy { get; init; }

    /// <summary>avg@k by family, with the means; null where nothing was sampled.</summary>
    public OrderedDictionary<string, double>? AvgAtK { get; init; }
}

/// <summary>A line of test-before.jsonl, test-after.jsonl and their like: what became of one problem.</summary>
public sealed record ProblemRecord
{
    /// <summary>The problem.</summary>
    public required string Id { get; init; }

    /// <summary>Its family or data source.</summary>
    public required string DataSource { get; init; }

    /// <summary>Which mean the family counts in.</summary>
    public required TaskCategory Category { get; init; }

    /// <summary>Whether greedy decoding solved it.</summary>
    public required bool Greedy { get; init; }

    /// <summary>Which of the k samples solved it; empty where none were drawn.</summary>
    public required bool[] Samples { get; init; }

    /// <summary>What greedy decoding wrote.</summary>
    public required int[] Ids { get; init; }

    /// <summary>The same as text.</summary>
    public required string Text { get; init; }
}
