using System.Diagnostics;
using Spectre.Console;

namespace Luffy.Engine.Reporting;

/// <summary>
/// Where a run talks to people: on a terminal a progress bar with the time left stays below the lines; elsewhere there are plain lines.
/// All that goes to one writer (standard error); tables of results have another (standard output) to themselves.
/// </summary>
public sealed class RunConsole
{
    private const int LinesShown = 16;
    private readonly IAnsiConsole _console;
    private readonly bool _live;
    private readonly bool _quiet;
    private readonly TextWriter? _results;

    /// <summary>Makes a console over any writer.</summary>
    /// <param name="writer">Where lines go.</param>
    /// <param name="live">Whether the writer is a terminal that can redraw a bar.</param>
    /// <param name="quiet">Whether to say nothing but warnings and results.</param>
    /// <param name="results">Where tables go; null leaves them out.</param>
    public RunConsole(TextWriter writer, bool live, bool quiet, TextWriter? results = null)
    {
        _results = results;
        _live = live;
        _quiet = quiet;
        _console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = live ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = live ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = live ? InteractionSupport.Yes : InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        if (!live)
            _console.Profile.Width = 1000;
    }

    /// <summary>The console on standard error.</summary>
    public static RunConsole StandardError(bool quiet, TextWriter? results) =>
        new(Console.Error, live: !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") is not ("dumb" or null), quiet, results);

    /// <summary>Says a line unless quiet.</summary>
    public void Say(string line)
    {
        if (!_quiet)
            _console.WriteLine(line);
    }

    /// <summary>Says a line in any case.</summary>
    public void Warn(string line) => _console.WriteLine($"warning: {line}");

    /// <summary>Prints one step as a line.</summary>
    public void Step(StepMetrics metrics, int totalSteps) => Say(StepLine.Format(metrics, totalSteps));

    /// <summary>Prints what the model wrote, a few rows of a step. Control characters, which a terminal would obey, are shown as U+FFFD.</summary>
    public void Completions(int step, IEnumerable<RolloutRecord> rows)
    {
        foreach (RolloutRecord row in rows)
        {
            Say(string.Join('\n',
            [
                $"  ┌ step {step}, {row.DataSource}, {(row.Source == "off" ? "demonstration" : "sample")}, reward {row.Reward:0.##}",
                .. Lines(row.Prompt).Select(line => "  │ " + line),
                .. Lines(row.Text).Select(line => "  │   " + line),
                "  └",
            ]));
        }
    }

    private static IEnumerable<string> Lines(string text)
    {
        string[] lines = string.Concat(text.Trim().Select(c => char.IsControl(c) && c != '\n' ? '\ufffd' : c)).Split('\n');
        // The rollout record has the whole; a model that babbles must not push everything else off the screen.
        return lines.Length <= LinesShown ? lines : [.. lines.Take(LinesShown), $"… {lines.Length - LinesShown} more lines"];
    }

    /// <summary>Prints a table of results: drawn where standard output is a terminal, aligned lines elsewhere.</summary>
    public void Table(IReadOnlyList<FamilyAccuracy>? before, IReadOnlyList<FamilyAccuracy> after)
    {
        if (_results is null)
            return;
        if (_live && !Console.IsOutputRedirected)
            AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(_results) }).Write(AccuracyTable.ToSpectre(before, after));
        else
            _results.Write(AccuracyTable.ToText(before, after));
        _results.Flush();
    }

    /// <summary>Does a piece of work under a progress bar where the console has one.</summary>
    /// <param name="title">What is being done, in a word or two.</param>
    /// <param name="total">How many parts the whole has.</param>
    /// <param name="alreadyDone">How many were done before, in an earlier run.</param>
    /// <param name="work">The work; it reports each part.</param>
    public void Track(string title, int total, int alreadyDone, Action<IProgressTracker> work)
    {
        if (!_live || _quiet)
        {
            work(new NoTracker());
            return;
        }
        Progress progress = _console.Progress().AutoClear(true).HideCompleted(true)
            .Columns(new ProgressBarColumn(), new PercentageColumn(), new TaskDescriptionColumn { Alignment = Justify.Left });
        // Drawn when a part is done: a thread that redraws would take time from the work.
        progress.AutoRefresh = false;
        progress.Start(context => work(new BarTracker(context, title, total, alreadyDone)));
    }

    private sealed class NoTracker : IProgressTracker
    {
        public void Report(int done)
        {
        }
    }

    private sealed class BarTracker : IProgressTracker
    {
        private readonly ProgressContext _context;
        private readonly ProgressTask _task;
        private readonly string _title;
        private readonly int _alreadyDone;
        private readonly Stopwatch _watch = Stopwatch.StartNew();
        private TimeSpan _drawn = TimeSpan.FromSeconds(-1);

        public BarTracker(ProgressContext context, string title, int total, int alreadyDone)
        {
            (_context, _title, _alreadyDone) = (context, title, alreadyDone);
            _task = context.AddTask(Markup.Escape(title), maxValue: total);
            Report(alreadyDone);
        }

        public void Report(int done)
        {
            _task.Value = done;
            string left = "";
            if (done > _alreadyDone)
            {
                TimeSpan rest = _watch.Elapsed * ((_task.MaxValue - done) / (done - _alreadyDone));
                left = $", {StepLine.FormatDuration(rest)} left";
            }
            _task.Description = Markup.Escape($"{_title} {done}/{(int)_task.MaxValue}{left}");
            // Thousands of small parts are no reason to draw thousands of times.
            if (done < _task.MaxValue && _watch.Elapsed < _drawn + TimeSpan.FromMilliseconds(100))
                return;
            _drawn = _watch.Elapsed;
            _context.Refresh();
        }
    }
}
