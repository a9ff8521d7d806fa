using Luffy.Engine.Data.Tasks;

namespace Luffy.Engine.Evaluation;

/// <summary>How well a model answers the problems of one data source, or of several, each counting the same.</summary>
public sealed record SourceResult
{
    /// <summary>The data source, or the name of a mean over several.</summary>
    public required string Source { get; init; }

    /// <summary>Which mean the source is part of; null for none but that over all.</summary>
    public TaskCategory? Category { get; init; }

    /// <summary>Whether this is a mean over sources.</summary>
    public bool IsMean { get; init; }

    /// <summary>Problems.</summary>
    public required int Problems { get; init; }

    /// <summary>The share answered correctly by greedy decoding; null where it was not asked for.</summary>
    public double? Greedy { get; init; }

    /// <summary>k: samples of each problem; 0 where there are none. Of a mean, the fewest.</summary>
    public required int Samples { get; init; }

    /// <summary>The share of correct samples; null without samples, as the two that follow.</summary>
    public double? AverageAtK { get; init; }

    /// <summary>
    /// k → the chance that at least one of k samples is right, for 1, 2, 4, … and all n samples: 1 − C(n − c, k) / C(n, k) where c are right, without
    /// bias (Chen et al., 2021).
    /// </summary>
    public IReadOnlyDictionary<int, double>? PassAt { get; init; }

    /// <summary>The share of problems whose most frequent answer is correct.</summary>
    public double? MajorityAtK { get; init; }

    /// <summary>The 95% interval of <see cref="Accuracy"/>: Wilson's where each problem was answered once, else by a bootstrap over problems.</summary>
    public required ConfidenceInterval Interval { get; init; }

    /// <summary>Tokens of a completion, on average.</summary>
    public required double MeanLength { get; init; }

    /// <summary>The share of completions that the longest length allowed cut off.</summary>
    public required double Truncated { get; init; }

    /// <summary>The share of completions in which an answer was found.</summary>
    public required double Answered { get; init; }

    /// <summary>avg@k, or greedy accuracy where there are no samples; of a mean, the mean of that.</summary>
    public required double Accuracy { get; init; }
}
