using Luffy.Engine.Configuration;
using Luffy.Engine.Reporting;

namespace Luffy.Engine.Comparison;

/// <summary>One training run of a comparison.</summary>
/// <param name="Method">The method's name.</param>
/// <param name="Seed">Decides the order of prompts and every sampled token.</param>
/// <param name="LearningRate">One of the grid, where the run helps to choose it; else null.</param>
/// <param name="Folder">The run's directory.</param>
/// <param name="Training">Its resolved configuration.</param>
public sealed record ComparisonCell(string Method, long Seed, double? LearningRate, string Folder, TrainingConfiguration Training)
{
    /// <summary>The files of the run.</summary>
    public RunDirectory Run { get; } = new(Folder);

    /// <summary>The configuration that the run is started with; beside its directory, which the run makes itself.</summary>
    public string ConfigurationFile => Folder + ".yaml";

    /// <summary>What the run says while it goes on.</summary>
    public string LogFile => Folder + ".log";

    /// <summary>What messages call it.</summary>
    public string Title => LearningRate is { } rate ? $"{Method} at learning rate {ConfigurationWriter.Format(rate)}" : $"{Method}, seed {Seed}";

    /// <summary>Whether the run is there already, to its end.</summary>
    public bool IsFinished => File.Exists(Run.Summary) && File.Exists(Run.Configuration);

    /// <summary>Whether the run was begun.</summary>
    public bool IsBegun => File.Exists(Run.Configuration);

    /// <summary>Refuses a run that is there with another configuration.</summary>
    /// <exception cref="LuffyException">A key differs; the message names it with both values.</exception>
    public void RequireSameConfiguration()
    {
        if (!IsBegun) return;
        TrainingConfiguration there = Comparable(ConfigurationLoader.LoadTraining(Run.Configuration, [])), here = Comparable(Training);
        var differing = ConfigurationKey.Of(typeof(TrainingConfiguration))
            .Select(k => (k.Name, There: ConfigurationWriter.Format(k.Read(there)), Here: ConfigurationWriter.Format(k.Read(here))))
            .Where(k => k.There != k.Here).ToList();
        if (differing.Count == 0) return;
        string keys = string.Join(", ", differing.Take(4).Select(k => $"{k.Name} is {k.There} there and {k.Here} now")) + (differing.Count > 4 ? $", and {differing.Count - 4} more" : "");
        throw LuffyException.Usage($"{Folder} holds a run with another configuration ({keys}); choose another --output, or take the folder away to train it anew.");
    }

    /// <summary>Whether the run of another configuration would come to the same.</summary>
    public bool IsOf(TrainingConfiguration other) => ConfigurationWriter.ToYaml(Comparable(Training)) == ConfigurationWriter.ToYaml(Comparable(other));

    // Neither the place nor the number of threads changes a result.
    private static TrainingConfiguration Comparable(TrainingConfiguration c) => c with { OutputDir = null, ResumeFromCheckpoint = null, Model = c.Model with { Threads = 0 } };
}
