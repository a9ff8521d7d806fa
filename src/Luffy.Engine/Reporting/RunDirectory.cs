using System.Globalization;
using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Reporting;

/// <summary>Where a run keeps everything: config.yaml, metrics.jsonl, rollouts/, checkpoints/, summary.json.</summary>
/// <param name="path">The folder.</param>
public sealed class RunDirectory(string path)
{
    /// <summary>The folder above runs that were given no name.</summary>
    public const string DefaultParent = "runs";

    /// <summary>The folder.</summary>
    public string Root { get; } = path;

    /// <summary>The resolved configuration.</summary>
    public string Configuration => Path.Combine(Root, "config.yaml");

    /// <summary>One object a step.</summary>
    public string Metrics => Path.Combine(Root, "metrics.jsonl");

    /// <summary>One object a measurement: its step, its split, and accuracy by family.</summary>
    public string Evaluations => Path.Combine(Root, "evaluations.jsonl");

    /// <summary>One object a problem of a split, before or after training.</summary>
    public string Problems(string split, bool after) => Path.Combine(Root, $"{split}-{(after ? "after" : "before")}.jsonl");

    /// <summary>Every row of every step.</summary>
    public string Rollouts => Path.Combine(Root, "rollouts");

    /// <summary>Model directories with trainer state.</summary>
    public string Checkpoints => Path.Combine(Root, "checkpoints");

    /// <summary>What the run came down to.</summary>
    public string Summary => Path.Combine(Root, "summary.json");

    /// <summary>Makes the folder of a new run.</summary>
    /// <param name="output">The folder asked for, or null for the first free one of runs/NAME, runs/NAME-2, and so on.</param>
    /// <param name="name">Names the run where nothing was asked for.</param>
    /// <exception cref="LuffyException">It holds a run already, or cannot be made.</exception>
    public static RunDirectory Create(string? output, string name)
    {
        var run = new RunDirectory(output ?? Numbered(name).First(p => !Directory.Exists(p) && !File.Exists(p)));
        if (File.Exists(run.Configuration))
            throw LuffyException.Usage($"{run.Root} already holds a run; add --resume to go on with it, or choose another --output.");
        try
        {
            Directory.CreateDirectory(run.Root);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw StorageErrors.Writing(run.Root, e);
        }
        return run;
    }

    /// <summary>Takes the folder of a run that never began away again.</summary>
    public void DeleteIfEmpty()
    {
        try
        {
            if (Directory.Exists(Root) && !Directory.EnumerateFileSystemEntries(Root).Any()) Directory.Delete(Root);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            // What went wrong before is what the user must read.
        }
    }

    /// <summary>Finds the folder of a run to go on with.</summary>
    /// <param name="output">The folder asked for, or null for the newest of those that <see cref="Create"/> named.</param>
    /// <param name="name">Names the run where nothing was asked for.</param>
    /// <exception cref="LuffyException">There is no run.</exception>
    public static RunDirectory Open(string? output, string name)
    {
        string? found = output ?? Numbered(name).TakeWhile(Directory.Exists).LastOrDefault();
        if (found is null)
            throw LuffyException.Usage($"there is no run {Path.Combine(DefaultParent, name)} to resume; name one with --output.");
        var run = new RunDirectory(found);
        if (!File.Exists(run.Configuration))
            throw LuffyException.Usage($"{found} holds no run to resume: config.yaml is not there.");
        return run;
    }

    private static IEnumerable<string> Numbered(string name)
    {
        yield return Path.Combine(DefaultParent, name);
        for (int i = 2; ; i++)
            yield return Path.Combine(DefaultParent, string.Create(CultureInfo.InvariantCulture, $"{name}-{i}"));
    }
}
