namespace Luffy.Engine.Checkpoint;

/// <summary>Turns what the operating system says about a file into one sentence.</summary>
internal static class StorageErrors
{
    public static bool IsStorageError(Exception e) => e is IOException or UnauthorizedAccessException or NotSupportedException;

    public static LuffyException Reading(string path, Exception e) => e switch
    {
        FileNotFoundException or DirectoryNotFoundException => new LuffyException($"{path}: the file does not exist; check the path.", 1, e),
        UnauthorizedAccessException => new LuffyException(Directory.Exists(path)
            ? $"{path}: this is a directory, expected a file."
            : $"{path}: the file cannot be opened, permission denied; check its owner and mode.", 1, e),
        _ => new LuffyException($"{path}: the file cannot be read ({Reason(e)}).", 1, e),
    };

    public static LuffyException Writing(string path, Exception e)
    {
        string advice = e switch
        {
            UnauthorizedAccessException => "check the directory's owner and mode, or choose another output directory",
            _ when IsDiskFull(e) => "free some space or choose another output directory",
            _ => "choose another output directory",
        };
        return new LuffyException($"{path}: cannot be written ({Reason(e)}); nothing half-written was left behind; {advice}.", 1, e);
    }

    /// <summary>An error of writing at or below <paramref name="temporary"/>, told about the name that the user knows; null for any other.</summary>
    public static LuffyException? Renamed(string path, string temporary, Exception e) => e switch
    {
        _ when IsStorageError(e) => Writing(path, e),
        LuffyException { InnerException: { } inner } when IsStorageError(inner) && e.Message.StartsWith(temporary, StringComparison.Ordinal)
            => Writing(path, inner),
        _ => null,
    };

    // .NET on Unix puts errno into HResult: ENOSPC is 28 and EDQUOT is 122 on Linux; on Windows ERROR_DISK_FULL is 0x70. A failed
    // preallocation carries no number, only its (never translated) message.
    private static bool IsDiskFull(Exception e) => e is IOException
        && (OperatingSystem.IsWindows() ? (e.HResult & 0xffff) is 0x70 or 0x27 : e.HResult is 28 or 122
            || e.Message.Contains("disk was full", StringComparison.Ordinal));

    private static string Reason(Exception e) => e switch
    {
        _ when IsDiskFull(e) => "no space left on the disk",
        UnauthorizedAccessException => "permission denied",
        DirectoryNotFoundException => "its directory does not exist",
        _ => FirstSentence(e.Message),
    };

    // The messages end in " : '/path'", and the path has been said already.
    private static string FirstSentence(string message)
    {
        int end = message.IndexOf(" : '", StringComparison.Ordinal);
        return (end < 0 ? message : message[..end]).TrimEnd('.');
    }
}
