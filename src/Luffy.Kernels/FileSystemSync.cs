using System.Runtime.InteropServices;

namespace Luffy.Kernels;

/// <summary>
/// The one system call that .NET lacks for durable renames: flushing a directory. It lives here because native calls are allowed in this
/// project alone.
/// </summary>
public static partial class FileSystemSync
{
    private const int ReadOnly = 0;

    /// <summary>Makes the entries of a directory (creations, renames) durable. Does nothing on Windows, whose file systems journal renames.</summary>
    /// <exception cref="IOException">The directory cannot be opened or flushed.</exception>
    public static void FlushDirectory(string path)
    {
        if (OperatingSystem.IsWindows()) return;
        int descriptor = Open(path, ReadOnly);
        if (descriptor < 0) throw Failure("opened", path);
        try
        {
            // Some network and FUSE file systems refuse to flush directories (EINVAL): they order renames themselves.
            const int InvalidArgument = 22;
            if (Fsync(descriptor) != 0 && Marshal.GetLastPInvokeError() != InvalidArgument) throw Failure("flushed to the disk", path);
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    private static IOException Failure(string what, string path)
    {
        int error = Marshal.GetLastPInvokeError();
        return new IOException($"directory cannot be {what}: {Marshal.GetPInvokeErrorMessage(error)} : '{path}'", error);
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
