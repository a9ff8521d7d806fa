using Luffy.Engine.Configuration;

namespace Luffy.Engine.Comparison;

/// <summary>Which figure of a problem is compared.</summary>
public enum ComparisonMeasure
{
    /// <summary>Whether greedy decoding solves it.</summary>
    Greedy,

    /// <summary>The share of its eval_samples samples that solve it (avg@k).</summary>
    Average,
}

/// <summary>The keys of a comparison that are neither <c>train</c> nor of one method.</summary>
public sealed record ComparisonOptions
{
    /// <summary>Names of recipes of recipes/methods, or YAML files, in the order of the table.</summary>
    public IReadOnlyList<string> Methods { get; init; } = [];

    /// <summary>How many runs each method has; <c>method_seeds</c> gives single methods more.</summary>
    [Bounds(Minimum = 1, Maximum = 1000)]
    public int Seeds { get; init; } = 3;

    /// <summary>The first of the seeds; the others follow it.</summary>
    [Bounds(Minimum = 0)]
    public long FirstSeed { get; init; } = 1;

    /// <summary>The methods that all others are compared with, problem by problem, in a table each; empty for none.</summary>
    public IReadOnlyList<string> Baselines { get; init; } = [];

    /// <summary>The grid of learning rates: each method takes the one that is best on the validation split; null takes the recipe's own.</summary>
    public IReadOnlyList<double>? LearningRates { get; init; }

    /// <summary>The seed of the runs that choose the learning rate; none of the reported ones.</summary>
    [Bounds(Minimum = 0)]
    public long TuningSeed { get; init; } = 1001;

    /// <summary>What counts as accuracy: greedy, or average (avg@k).</summary>
    public ComparisonMeasure Measure { get; init; }

    /// <summary>Draws of the bootstrap.</summary>
    [Bounds(Minimum = 100, Maximum = 1_000_000)]
    public int BootstrapDraws { get; init; } = 10_000;

    /// <summary>Runs at the same time; 0 takes one for each core where the model is small, and one in all elsewhere.</summary>
    [Bounds(Minimum = 0, Maximum = 4096)]
    public int Jobs { get; init; }
}
