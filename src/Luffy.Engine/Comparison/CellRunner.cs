using System.Diagnostics;
using System.Globalization;
using System.Text;
using Luffy.Engine.Configuration;
using Luffy.Engine.Reporting;
using Luffy.Engine.Rl;

namespace Luffy.Engine.Comparison;

/// <summary>Trains one cell: begins it, or goes on where an interrupted one stopped.</summary>
internal interface ICellRunner
{
    /// <summary>Runs until the cell is finished.</summary>
    /// <exception cref="LuffyException">The run failed; the message is its own.</exception>
    /// <exception cref="OperationCanceledException">It was told to stop, and has saved what it had.</exception>
    void Run(ComparisonCell cell, int threads, CancellationToken cancellation);
}

/// <summary>Trains in this process: for hosts that are not <c>luffy</c> itself, one cell after another.</summary>
internal sealed class InProcessCellRunner : ICellRunner
{
    public void Run(ComparisonCell cell, int threads, CancellationToken cancellation)
    {
        using StreamWriter log = CellFiles.OpenLog(cell);
        CellFiles.WriteConfiguration(cell, threads);
        TrainingJob.Prepare(new TrainingRequest { ConfigPath = cell.ConfigurationFile, Output = cell.Folder, Resume = cell.IsBegun })
            .Execute(new RunConsole(log, live: false, quiet: false), cancellation);
    }
}

/// <summary>
/// Trains in a process of its own, <c>luffy train</c>, which saves its state and ends when its standard input ends. Whatever ends this process ends
/// that input, so that none is left behind.
/// </summary>
/// <param name="program">luffy.</param>
internal sealed class ProcessCellRunner(string program) : ICellRunner
{
    public void Run(ComparisonCell cell, int threads, CancellationToken cancellation)
    {
        using StreamWriter log = CellFiles.OpenLog(cell);
        CellFiles.WriteConfiguration(cell, threads);
        var start = new ProcessStartInfo(program) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (string argument in (string[])["train", "--config", cell.ConfigurationFile, "--output", cell.Folder, "--stop-with-input"]) start.ArgumentList.Add(argument);
        if (cell.IsBegun) start.ArgumentList.Add("--resume");
        using Process process = Process.Start(start) ?? throw new LuffyException($"{program} could not be started.");
        string last = "";
        process.OutputDataReceived += (_, line) => Write(line.Data);
        process.ErrorDataReceived += (_, line) => Write(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        using (cancellation.Register(() => process.StandardInput.Close()))
            process.WaitForExit();
        cancellation.ThrowIfCancellationRequested();
        if (process.ExitCode != 0)
            throw new LuffyException(string.Create(CultureInfo.InvariantCulture, $"it ended with exit code {process.ExitCode}: {last}"));

        void Write(string? line)
        {
            if (line is null) return;
            lock (log)
            {
                if (line.Trim().Length > 0) last = line.Trim();
                log.WriteLine(line);
            }
        }
    }
}

/// <summary>What lies beside a cell's directory.</summary>
internal static class CellFiles
{
    public static StreamWriter OpenLog(ComparisonCell cell)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(cell.Folder))!);
        return new StreamWriter(cell.LogFile, append: true, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true };
    }

    public static void WriteConfiguration(ComparisonCell cell, int threads) =>
        Checkpoint.AtomicFile.WriteAllText(cell.ConfigurationFile, ConfigurationWriter.ToYaml(cell.Training with { Model = cell.Training.Model with { Threads = threads } }));
}
