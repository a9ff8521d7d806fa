using System.Runtime.InteropServices;

namespace Luffy.Cli;

/// <summary>Runs work that can save and stop when it is told to. (Other work just ends, as any program does on Ctrl-C.)</summary>
internal static class Interruption
{
    /// <summary>The first signal asks the work to stop; the second ends the process at once.</summary>
    /// <param name="streams">Where the signal is answered.</param>
    /// <param name="answer">What is said then.</param>
    /// <param name="work">The work; it ends with <see cref="OperationCanceledException"/> when it was stopped.</param>
    /// <param name="withInput">Stop when standard input ends, and leave signals to whoever holds its other end.</param>
    public static int Run(Streams streams, string answer, Action<CancellationToken> work, bool withInput = false)
    {
        using var source = new CancellationTokenSource();
        if (withInput) _ = StopAtEndOfInputAsync(streams.In, source);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        try
        {
            work(source.Token);
            return CommandLine.Done;
        }
        catch (OperationCanceledException) when (source.IsCancellationRequested)
        {
            streams.Error.WriteLine("luffy: interrupted");
            return CommandLine.Interrupted;
        }

        void Stop(PosixSignalContext context)
        {
            if (withInput)
            {
                context.Cancel = true;
                return;
            }
            if (source.IsCancellationRequested)
                Environment.Exit(CommandLine.Interrupted);
            context.Cancel = true;
            streams.Error.WriteLine($"luffy: {answer}; once more to stop at once");
            source.Cancel();
        }
    }

    private static async Task StopAtEndOfInputAsync(Stream input, CancellationTokenSource source)
    {
        var ignored = new byte[256];
        while (await input.ReadAsync(ignored) > 0)
        {
        }
        await source.CancelAsync();
    }
}
