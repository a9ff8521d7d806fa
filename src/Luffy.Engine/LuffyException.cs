namespace Luffy.Engine;

/// <summary>
/// What went wrong, for the person who asked: one sentence that says what, where, and what to do. The command line prints the
/// message alone (no stack trace) and ends with <see cref="ExitCode"/>: 1 where it could not be done, 2 for wrong usage.
/// </summary>
public sealed class LuffyException(string message, int exitCode = 1, Exception? innerException = null)
    : Exception(message, innerException)
{
    /// <summary>The process's exit code: 1 failed, 2 wrong usage.</summary>
    public int ExitCode { get; } = exitCode;

    /// <summary>A mistake in what was typed or configured: exit code 2.</summary>
    public static LuffyException Usage(string message) => new(message, 2);
}
