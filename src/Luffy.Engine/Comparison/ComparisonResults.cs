using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Reporting;

namespace Luffy.Engine.Comparison;

/// <summary>What one run came to.</summary>
/// <param name="Seed">Its seed.</param>
/// <param name="Summary">Its summary.</param>
/// <param name="Scores">The score of each test problem, from 0 to 1.</param>
/// <param name="Run">Its files.</param>
public sealed record RunResult(long Seed, RunSummary Summary, double[] Scores, RunDirectory Run);

/// <summary>What the runs of one method came to.</summary>
/// <param name="Name">The method.</param>
/// <param name="LearningRate">The largest learning rate of its schedule.</param>
/// <param name="Runs">A run a seed.</param>
public sealed record MethodResult(string Name, double LearningRate, IReadOnlyList<RunResult> Runs)
{
    /// <summary>A figure of the runs, with its interval over seeds.</summary>
    public MeanInterval Over(Func<RunResult, double> figure) => MeanInterval.Of([.. Runs.Select(figure)]);
}

/// <summary>The grid of learning rates of one method.</summary>
/// <param name="Method">The method.</param>
/// <param name="Accuracies">For each rate of the grid, the mean accuracy in distribution on the validation split.</param>
/// <param name="Chosen">The rate with the largest.</param>
public sealed record TuningResult(string Method, IReadOnlyList<(double Rate, double Accuracy)> Accuracies, double Chosen);

/// <summary>Everything that a comparison found.</summary>
public sealed record ComparisonResults
{
    /// <summary>The problems of the test split.</summary>
    public required TestProblems Problems { get; init; }

    /// <summary>The model before training.</summary>
    public required RunResult Base { get; init; }

    /// <summary>The methods, in the order asked for.</summary>
    public required IReadOnlyList<MethodResult> Methods { get; init; }

    /// <summary>How learning rates were chosen; empty where they were not.</summary>
    public required IReadOnlyList<TuningResult> Tuning { get; init; }

    /// <summary>Single keys at several values.</summary>
    public required IReadOnlyList<AblationResult> Ablations { get; init; }

    /// <summary>pass@k by method, temperature and category; empty where it was not measured.</summary>
    public IReadOnlyList<PassAtKResult> PassAtK { get; init; } = [];

    /// <summary>How alike greedy answers and demonstrations are; empty where the test problems have none.</summary>
    public IReadOnlyList<SimilarityResult> Similarity { get; init; } = [];

    /// <summary>The methods that others are compared with.</summary>
    public required IReadOnlyList<string> Baselines { get; init; }

    /// <summary>Draws of the bootstrap.</summary>
    public required int BootstrapDraws { get; init; }

    /// <summary>
    /// The difference of a method's category mean from a baseline's, over the seeds that both have; null for the baseline itself, or without a
    /// common seed.
    /// </summary>
    public DifferenceInterval? Difference(MethodResult method, string baselineName, TaskCategory category)
    {
        if (method.Name == baselineName || CommonSeeds(method, baselineName) is not { Count: > 0 } seeds) return null;
        MethodResult baseline = Methods.First(m => m.Name == baselineName);
        double[][] Of(MethodResult m) => [.. seeds.Select(s => m.Runs.First(r => r.Seed == s).Scores)];
        double[][] ours = Of(method), theirs = Of(baseline);
        return PairedBootstrap.Of([.. Problems.Families.Where(f => f.Category == category)
            .Select(f => f.Problems.Select(p => ours.Zip(theirs, (a, b) => a[p] - b[p]).ToArray()).ToArray())], BootstrapDraws);
    }

    /// <summary>The seeds that a method shares with a baseline.</summary>
    public IReadOnlyList<long> CommonSeeds(MethodResult method, string baselineName) =>
        [.. method.Runs.Select(r => r.Seed).Intersect(Methods.Where(m => m.Name == baselineName).SelectMany(m => m.Runs).Select(r => r.Seed))];
}
