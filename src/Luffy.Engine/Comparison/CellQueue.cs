using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Luffy.Engine.Reporting;

namespace Luffy.Engine.Comparison;

/// <summary>Trains cells, several at a time, and tells how long it will take.</summary>
/// <param name="runner">Trains one.</param>
/// <param name="jobs">How many at a time.</param>
/// <param name="threads">Threads of each; results do not depend on it.</param>
/// <param name="console">Where progress is told.</param>
internal sealed class CellQueue(ICellRunner runner, int jobs, int threads, RunConsole console)
{
    private const int ProgressParts = 1000;
    private readonly Dictionary<string, List<double>> _seconds = [];

    /// <summary>Trains those that are not finished. When one fails the others go on to their end.</summary>
    /// <param name="title">What the cells are for.</param>
    /// <param name="cells">All of them; every begun one has the configuration that it should have.</param>
    /// <param name="finished">Told of each that this call has finished.</param>
    /// <param name="cancellation">Lets the running ones save, and ends with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="LuffyException">Some failed; the message names them.</exception>
    public void Run(string title, IReadOnlyList<ComparisonCell> cells, Func<ComparisonCell, string> finished, CancellationToken cancellation)
    {
        var waiting = new Queue<ComparisonCell>(cells.Where(c => !c.IsFinished));
        int total = waiting.Count, done = 0;
        if (total == 0) return;
        console.Say(string.Create(CultureInfo.InvariantCulture, $"{title}: {total} of {cells.Count} runs to make, {Math.Min(jobs, total)} at a time"));
        var running = new List<(Task Task, ComparisonCell Cell, Stopwatch Watch)>();
        var failures = new List<string>();
        console.Track(title, total * ProgressParts, 0, tracker =>
        {
            while (waiting.Count + running.Count > 0)
            {
                while (running.Count < jobs && waiting.Count > 0 && !cancellation.IsCancellationRequested)
                {
                    ComparisonCell cell = waiting.Dequeue();
                    running.Add((Task.Factory.StartNew(() => runner.Run(cell, threads, cancellation), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default), cell, Stopwatch.StartNew()));
                }
                // Everything that runs has been told to stop as well.
                if (running.Count == 0) break;
                int ended = Task.WaitAny([.. running.Select(r => r.Task)], TimeSpan.FromSeconds(1));
                if (ended >= 0)
                {
                    (Task task, ComparisonCell cell, Stopwatch watch) = running[ended];
                    running.RemoveAt(ended);
                    if (task.IsFaulted && task.Exception!.InnerException is not OperationCanceledException)
                    {
                        failures.Add($"{cell.Title}: {task.Exception.InnerException!.Message}");
                        console.Warn($"{cell.Title} failed: {task.Exception.InnerException!.Message} (all that it said is in {cell.LogFile})");
                    }
                    else if (task.IsCompletedSuccessfully)
                    {
                        done++;
                        if (!_seconds.TryGetValue(cell.Method, out List<double>? times)) _seconds[cell.Method] = times = [];
                        times.Add(watch.Elapsed.TotalSeconds);
                        console.Say(string.Create(CultureInfo.InvariantCulture, $"[{done}/{total}] {cell.Title}: {finished(cell)}, {StepLine.FormatDuration(watch.Elapsed)}; {Left(waiting, running.Select(r => (r.Cell, r.Watch.Elapsed.TotalSeconds)))}"));
                    }
                }
                tracker.Report((done * ProgressParts) + (int)running.Sum(r => ProgressParts * Share(r.Cell)));
            }
        });
        cancellation.ThrowIfCancellationRequested();
        if (failures.Count > 0)
            throw new LuffyException($"{failures.Count} of {total} runs failed, and the table needs all: {string.Join("; ", failures)}");
    }

    // By the method's own runs where there are some, else by all.
    private string Left(IReadOnlyCollection<ComparisonCell> waiting, IEnumerable<(ComparisonCell Cell, double Seconds)> running)
    {
        double overall = _seconds.Values.SelectMany(t => t).Average();
        double Expected(string method) => _seconds.TryGetValue(method, out List<double>? times) ? times.Average() : overall;
        double left = waiting.Sum(c => Expected(c.Method)) + running.Sum(r => Math.Max(0, Expected(r.Cell.Method) - r.Seconds));
        return $"about {StepLine.FormatDuration(TimeSpan.FromSeconds(left / jobs))} left";
    }

    // How far a running cell has come, by its last line of metrics.
    private static double Share(ComparisonCell cell)
    {
        try
        {
            using var file = new FileStream(cell.Run.Metrics, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            file.Seek(-Math.Min(file.Length, 1 << 14), SeekOrigin.End);
            string[] lines = new StreamReader(file).ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
            if (lines.Length < 2) return 0;
            using JsonDocument row = JsonDocument.Parse(lines[^2]);
            double steps = row.RootElement.GetProperty("step").GetDouble() / cell.Training.Optimizer.MaxSteps;
            double tokens = cell.Training.Optimizer.MaxRolloutTokens is { } budget ? row.RootElement.GetProperty("num_sampled_tokens").GetDouble() / budget : 0;
            return Math.Clamp(Math.Max(steps, tokens), 0, 1);
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            // Not there yet, or cut short by the reading of its tail: the next look will find it.
            return 0;
        }
    }
}
