using System.Globalization;

namespace Luffy.Engine.Checkpoint;

/// <summary>
/// The checkpoints of one run: <c>RUN/checkpoints/step-NNNNNN/</c>, each a Hugging Face model directory plus <c>trainer/</c> and
/// <c>manifest.json</c>. A checkpoint appears under its name only when all of it is on the disk; it is read only when every byte of it is
/// what was written. One process at a time saves into a run.
/// </summary>
public sealed class CheckpointStore
{
    private const string Prefix = "step-";

    private readonly int? _saveTotalLimit;

    /// <param name="runDirectory">The run directory; <c>checkpoints/</c> is created at the first save.</param>
    /// <param name="saveTotalLimit">How many checkpoints to keep, the newest first; null keeps all (<c>save_total_limit</c>).</param>
    public CheckpointStore(string runDirectory, int? saveTotalLimit = null)
    {
        if (saveTotalLimit < 1) throw LuffyException.Usage($"save_total_limit is {saveTotalLimit}, expected at least 1, or nothing to keep every checkpoint.");
        DirectoryPath = Path.Combine(runDirectory, "checkpoints");
        _saveTotalLimit = saveTotalLimit;
    }

    /// <summary><c>RUN/checkpoints</c>.</summary>
    public string DirectoryPath { get; }

    /// <summary>Where a step's checkpoint is or would be.</summary>
    public string PathOf(long step) => Path.Combine(DirectoryPath, $"{Prefix}{step:d6}");

    /// <summary>The steps that have a checkpoint, ascending. Unfinished ones are not there by construction; nothing is verified.</summary>
    public IReadOnlyList<long> Steps()
    {
        if (!Directory.Exists(DirectoryPath)) return [];
        var steps = new List<long>();
        foreach (string directory in Directory.GetDirectories(DirectoryPath, Prefix + "*"))
        {
            if (long.TryParse(Path.GetFileName(directory)[Prefix.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out long step)
                && directory == PathOf(step))
                steps.Add(step);
        }
        steps.Sort();
        return steps;
    }

    /// <summary>
    /// Saves one checkpoint: <paramref name="write"/> fills it aside, the manifest is added, all is flushed to the disk and renamed into
    /// place, replacing an earlier checkpoint of the same step. Then the oldest beyond the limit go. A failure leaves every earlier
    /// checkpoint as it was.
    /// </summary>
    /// <exception cref="LuffyException">It cannot be written: full disk, no permission.</exception>
    public SavedCheckpoint Save(long step, Action<CheckpointWriter> write)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        string path = PathOf(step);
        try
        {
            Directory.CreateDirectory(DirectoryPath);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw StorageErrors.Writing(path, e);
        }
        AtomicDirectory.RemoveLeftovers(DirectoryPath);
        AtomicDirectory.Create(path, directory =>
        {
            write(new CheckpointWriter(directory, step));
            CheckpointManifest.Write(directory, step);
        });
        Prune(step);
        return new SavedCheckpoint(step, path);
    }

    /// <summary>Opens one step's checkpoint after comparing every file with the manifest.</summary>
    /// <exception cref="LuffyException">There is none, or a file is missing, changed or unreadable.</exception>
    public SavedCheckpoint Load(long step)
    {
        string path = PathOf(step);
        if (!Directory.Exists(path))
            throw new LuffyException($"{path}: there is no checkpoint of step {step}; " + (Steps() is { Count: > 0 } steps
                ? $"there are those of {string.Join(", ", steps)}." : "none was saved yet."));
        CheckpointManifest.Verify(path, step);
        return new SavedCheckpoint(step, path);
    }

    /// <summary>
    /// The newest checkpoint whose every file is whole. Damaged ones are passed over, each with a sentence to <paramref name="warn"/>.
    /// Null where none was ever saved; with only damaged ones it is an error, lest a run silently start from the beginning.
    /// </summary>
    /// <exception cref="LuffyException">There are checkpoints and none of them is whole.</exception>
    public SavedCheckpoint? LatestValid(Action<string> warn)
    {
        IReadOnlyList<long> steps = Steps();
        string? last = null;
        for (int i = steps.Count - 1; i >= 0; i--)
        {
            try
            {
                return Load(steps[i]);
            }
            catch (LuffyException e)
            {
                last = e.Message;
                if (i > 0) warn($"checkpoint of step {steps[i]} is damaged and passed over: {e.Message} Going back to step {steps[i - 1]}.");
            }
        }
        if (last is null) return null;
        throw new LuffyException($"{DirectoryPath}: none of the {steps.Count} checkpoint(s) is whole; the oldest one: {last} "
            + "Restore one from a copy, or start a new run in another output directory.");
    }

    private void Prune(long justSaved)
    {
        if (_saveTotalLimit is not { } limit) return;
        List<long> others = [.. Steps().Where(step => step != justSaved)];
        for (int i = 0; i < others.Count - (limit - 1); i++) AtomicDirectory.Delete(PathOf(others[i]));
    }
}
