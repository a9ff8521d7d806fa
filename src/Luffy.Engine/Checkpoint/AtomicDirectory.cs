using Luffy.Kernels;
using Microsoft.Win32.SafeHandles;

namespace Luffy.Engine.Checkpoint;

/// <summary>Creates a directory as a whole: filled aside under a temporary name in the same parent, every file and directory flushed to
/// the disk, then renamed. What a crash leaves behind is named so that everybody ignores it, and the next write removes it.</summary>
public static class AtomicDirectory
{
    /// <summary>
    /// Fills a temporary directory with <paramref name="fill"/> (its argument is that directory) and renames it to
    /// <paramref name="path"/>. An existing directory there is replaced: it is moved aside first, so a crash at that very moment leaves
    /// neither, never a mixture.
    /// </summary>
    /// <exception cref="LuffyException">It cannot be written; nothing half-written is left.</exception>
    public static void Create(string path, Action<string> fill)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        string parent = Path.GetDirectoryName(full)!;
        string temporary = AtomicFile.TemporaryFor(full);
        string? replaced = null;
        try
        {
            Directory.CreateDirectory(temporary);
            fill(temporary);
            FlushTree(temporary);
            if (Directory.Exists(full))
            {
                replaced = AtomicFile.TemporaryFor(full);
                Directory.Move(full, replaced);
            }
            Directory.Move(temporary, full);
            FileSystemSync.FlushDirectory(parent);
        }
        catch (Exception e)
        {
            TryDelete(temporary);
            if (replaced is not null && !Directory.Exists(full)) Directory.Move(replaced, full);
            if (StorageErrors.Renamed(path, temporary, e) is { } sentence) throw sentence;
            throw;
        }
        if (replaced is not null) TryDelete(replaced);
    }

    /// <summary>Removes a directory so that no reader ever sees half of it: renamed to a temporary name first.</summary>
    /// <exception cref="LuffyException">It cannot be renamed.</exception>
    public static void Delete(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        string temporary = AtomicFile.TemporaryFor(full);
        try
        {
            Directory.Move(full, temporary);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw new LuffyException($"{path}: cannot be removed; check the directory's owner and mode.", 1, e);
        }
        TryDelete(temporary);
    }

    /// <summary>Removes what crashed writes left directly inside <paramref name="parent"/>. Only one process may write there at a time.</summary>
    public static void RemoveLeftovers(string parent)
    {
        if (!Directory.Exists(parent)) return;
        foreach (string directory in Directory.GetDirectories(parent, AtomicFile.TemporaryPrefix + "*")) TryDelete(directory);
        foreach (string file in Directory.GetFiles(parent, AtomicFile.TemporaryPrefix + "*")) AtomicFile.TryDelete(file);
    }

    private static void FlushTree(string directory)
    {
        foreach (string file in Directory.GetFiles(directory))
        {
            // Windows flushes only what is open for writing; elsewhere reading is enough, also for a file that is read-only.
            using SafeFileHandle handle = File.OpenHandle(file, FileMode.Open, OperatingSystem.IsWindows() ? FileAccess.ReadWrite : FileAccess.Read);
            RandomAccess.FlushToDisk(handle);
        }
        foreach (string child in Directory.GetDirectories(directory)) FlushTree(child);
        FileSystemSync.FlushDirectory(directory);
    }

    private static void TryDelete(string path)
    {
        try
        {
            Directory.Delete(path, recursive: true);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            // Its name marks it as unfinished: everybody ignores it and the next write tries again.
        }
    }
}
