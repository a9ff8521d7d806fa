using System.Text;
using Luffy.Kernels;

namespace Luffy.Engine.Checkpoint;

/// <summary>Replaces a file as a whole: written aside in the same directory, flushed to the disk, renamed. A reader, or a machine that
/// lost its power, sees the old file or the new one and nothing between.</summary>
public static class AtomicFile
{
    /// <summary>Names that start like this are unfinished work; readers ignore them.</summary>
    public const string TemporaryPrefix = ".tmp-";

    /// <summary>Writes with <paramref name="write"/>, then puts the result at <paramref name="path"/>, replacing what was there.</summary>
    /// <exception cref="LuffyException">It cannot be written; the old file is as it was and no leftover remains.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        string full = Path.GetFullPath(path);
        string temporary = TemporaryFor(full);
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, full, overwrite: true);
            FileSystemSync.FlushDirectory(Path.GetDirectoryName(full)!);
        }
        catch (Exception e)
        {
            TryDelete(temporary);
            if (StorageErrors.IsStorageError(e)) throw StorageErrors.Writing(path, e);
            throw;
        }
    }

    /// <summary>Writes UTF-8 text without a byte-order mark.</summary>
    public static void WriteAllText(string path, string text) => Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));

    /// <summary>A fresh name beside <paramref name="fullPath"/>.</summary>
    internal static string TemporaryFor(string fullPath) =>
        Path.Combine(Path.GetDirectoryName(fullPath)!, $"{TemporaryPrefix}{Path.GetFileName(fullPath)}-{Guid.NewGuid():n}");

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            // The reason for the failure itself is what the caller reports; the leftover's name marks it as unfinished.
        }
    }
}
