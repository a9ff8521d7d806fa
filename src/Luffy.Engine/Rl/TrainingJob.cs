using Luffy.Engine.Checkpoint;
using Luffy.Engine.Configuration;
using Luffy.Engine.Reporting;

namespace Luffy.Engine.Rl;

/// <summary>What <c>train</c> is asked for.</summary>
public sealed record TrainingRequest
{
    /// <summary>A YAML file; null means the built-in quickstart, or on resuming the run's own configuration.</summary>
    public string? ConfigPath { get; init; }

    /// <summary>What was given on top.</summary>
    public IReadOnlyList<ConfigurationOverride> Overrides { get; init; } = [];

    /// <summary>The run directory; wins over output_dir.</summary>
    public string? Output { get; init; }

    /// <summary>Whether to go on with the run that is in the run directory.</summary>
    public bool Resume { get; init; }
}

/// <summary>
/// Decides what a training run is: its configuration, its directory, and the checkpoint that it goes on from. Nothing is written before
/// <see cref="Execute"/>.
/// </summary>
public sealed class TrainingJob
{
    private const string Latest = "latest";
    private readonly RunDirectory? _resumed;
    private readonly bool _resume;

    private TrainingJob(TrainingConfiguration configuration, RunDirectory? resumed, bool resume) =>
        (Configuration, _resumed, _resume) = (configuration, resumed, resume);

    /// <summary>The resolved configuration.</summary>
    public TrainingConfiguration Configuration { get; }

    /// <summary>Reads the configuration, and on resuming finds the run.</summary>
    /// <exception cref="LuffyException">The configuration is wrong, or there is no run to resume.</exception>
    public static TrainingJob Prepare(TrainingRequest request)
    {
        TrainingConfiguration asked = ConfigurationLoader.LoadTraining(request.ConfigPath, request.Overrides);
        string? output = request.Output ?? asked.OutputDir;
        if (!request.Resume && asked.ResumeFromCheckpoint != Latest)
            return new TrainingJob(asked with { OutputDir = output }, null, resume: false);

        // A run goes on with its own configuration; only what is given now is put on top. A file given now replaces it.
        RunDirectory run = RunDirectory.Open(output, NameOf(asked));
        TrainingConfiguration configuration = request.ConfigPath is null ? ConfigurationLoader.LoadTraining(run.Configuration, request.Overrides) : asked;
        return new TrainingJob(configuration with { OutputDir = run.Root }, run, resume: true);
    }

    /// <summary>Makes or opens the run directory, writes config.yaml, and trains.</summary>
    /// <param name="console">Where progress is told.</param>
    /// <param name="cancellation">Saves after the current step and ends with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="LuffyException">The run cannot be started or went wrong.</exception>
    public RunSummary Execute(RunConsole console, CancellationToken cancellation)
    {
        SavedCheckpoint? checkpoint = Checkpoint(console);
        RunDirectory run = _resumed ?? RunDirectory.Create(Configuration.OutputDir, NameOf(Configuration));
        // A saved configuration describes the whole run, so it does not begin by resuming.
        TrainingConfiguration saved = Configuration with { OutputDir = run.Root, ResumeFromCheckpoint = null };
        string yaml = ConfigurationWriter.ToYaml(saved);
        console.Say(yaml.TrimEnd('\n'));
        try
        {
            // config.yaml makes the folder a run, so it comes when model, data and memory are found good.
            return new TrainingRun(saved, run, console).Execute(checkpoint, () => AtomicFile.WriteAllText(run.Configuration, yaml), cancellation);
        }
        catch
        {
            run.DeleteIfEmpty();
            throw;
        }
    }

    private SavedCheckpoint? Checkpoint(RunConsole console)
    {
        if (_resume)
        {
            SavedCheckpoint? latest = new CheckpointStore(_resumed!.Root).LatestValid(console.Warn);
            if (latest is null) console.Say($"{_resumed.Root} has no checkpoint yet; it starts from the first step");
            return latest;
        }

        if (Configuration.ResumeFromCheckpoint is not { } path) return null;
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        string name = Path.GetFileName(full);
        if (Path.GetDirectoryName(Path.GetDirectoryName(full)) is not { } run || !long.TryParse(name[(name.LastIndexOf('-') + 1)..], out long step))
            throw LuffyException.Usage($"resume_from_checkpoint: found '{path}', expected a folder checkpoints/step-NNNNNN of a run, or latest.");
        var store = new CheckpointStore(run);
        return Path.GetFullPath(store.PathOf(step)) == full
            ? store.Load(step)
            : throw LuffyException.Usage($"resume_from_checkpoint: found '{path}', expected a folder checkpoints/step-NNNNNN of a run, or latest.");
    }

    private static string NameOf(TrainingConfiguration configuration) => ConfigurationKey.SnakeCase(configuration.Method.ToString());
}
