using System.Text;
using Luffy.Kernels;

namespace Luffy.Engine.Checkpoint;

/// <summary>Replaces a file as a whole: written aside in the same directory, flushed to the disk, renamed. A reader, or a machine that
/// lost its power, sees the old file or the new one and nothing between.</summary>
public static class AtomicFile
{
    /// <summary>Names that start like this are unfinished work; readers ignore them.</summary>
    public const string TemporaryPrefix = ".tmp-";

    /// <summary>
    /// Lets <paramref name="write"/> create the file that it is given the path of, flushed, then puts it at <paramref name="path"/>,
    /// replacing what was there. A link is followed; a device such as /dev/null is written to directly.
    /// </summary>
    /// <exception cref="LuffyException">It cannot be written; the old file is as it was and no leftover remains.</exception>
    public static void Replace(string path, Action<string> write)
    {
        string full = Path.GetFullPath(path);
        string temporary = "";
        try
        {
            if (new FileInfo(full).LinkTarget is not null) full = File.ResolveLinkTarget(full, returnFinalTarget: true)!.FullName;
            if (IsDevice(full))
            {
                write(full);
                return;
            }
            temporary = TemporaryFor(full);
            write(temporary);
            File.Move(temporary, full, overwrite: true);
            FileSystemSync.FlushDirectory(Path.GetDirectoryName(full)!);
        }
        catch (Exception e)
        {
            if (temporary.Length > 0) TryDelete(temporary);
            if (StorageErrors.Renamed(path, temporary.Length > 0 ? temporary : full, e) is { } sentence) throw sentence;
            throw;
        }
    }

    /// <summary>As <see cref="Replace"/>, with a stream to write to.</summary>
    public static void Write(string path, Action<Stream> write) => Replace(path, temporary =>
    {
        using var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write);
        write(stream);
        stream.Flush(flushToDisk: true);
    });

    /// <summary>Writes UTF-8 text without a byte-order mark.</summary>
    public static void WriteAllText(string path, string text) => Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));

    /// <summary>A fresh name beside <paramref name="fullPath"/>.</summary>
    internal static string TemporaryFor(string fullPath) =>
        Path.Combine(Path.GetDirectoryName(fullPath)!, $"{TemporaryPrefix}{Path.GetFileName(fullPath)}-{Guid.NewGuid():n}");

    /// <summary>Deletes a file where that is possible: used where another error is already on its way, and never on a device.</summary>
    internal static void TryDelete(string path)
    {
        if (IsDevice(Path.GetFullPath(path))) return;
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            // The reason for the failure itself is what the caller reports; the leftover's name marks it as unfinished.
        }
    }

    // Renaming a file over /dev/null would replace the device for the whole machine.
    private static bool IsDevice(string fullPath) =>
        fullPath.StartsWith("/dev/", StringComparison.Ordinal) && !fullPath.StartsWith("/dev/shm/", StringComparison.Ordinal);
}
