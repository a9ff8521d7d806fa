using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Reporting;
using Spectre.Console;

namespace Luffy.Engine.Tests.Reporting;

public sealed class RunConsoleTests
{
    private static readonly FamilyAccuracy[] Before = [new("addition", TaskCategory.InDistribution, 10, 0.1, 8, 0.05), new("gcd", TaskCategory.InDistribution, 10, 0.0, 8, 0), new("words", TaskCategory.OutOfDistribution, 10, 0.2, 8, 0.1)];
    private static readonly FamilyAccuracy[] After = [new("addition", TaskCategory.InDistribution, 10, 0.9, 8, 0.85), new("gcd", TaskCategory.InDistribution, 10, 0.5, 8, 0.4), new("words", TaskCategory.OutOfDistribution, 10, 0.3, 8, 0.2)];

    [Test]
    public void A_step_is_one_line_with_what_is_known()
    {
        var metrics = new StepMetrics(7)
        {
            ["reward"] = 0.4124,
            ["entropy"] = 0.5,
            ["completions/mean_length"] = 83.4,
            ["completions/max_length"] = 160,
            ["perf/tokens_per_second"] = 12345,
            ["step_time"] = 2,
            ["timing_s/rollout"] = 1.5,
            ["timing_s/update"] = 0.5,
        };
        Assert.That(StepLine.Format(metrics, 100), Is.EqualTo(
            "step   7/100  reward 0.412  entropy 0.500  length 83 (max 160)  12,345 tok/s  2.00 s (rollout 1.50 75%, update 0.50 25%)"));
        Assert.That(StepLine.Format(new StepMetrics(1), 9), Is.EqualTo("step 1/9"));
    }

    [TestCase(3.2, "4 s")]
    [TestCase(185, "3:05")]
    [TestCase(3723, "1:02:03")]
    public void Durations_read_like_a_clock(double seconds, string text) =>
        Assert.That(StepLine.FormatDuration(TimeSpan.FromSeconds(seconds)), Is.EqualTo(text));

    [Test]
    public void The_table_goes_from_before_to_after_with_means()
    {
        string[] lines = AccuracyTable.ToText(Before, After).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines, Is.EqualTo(new[]
        {
            "family                           greedy          avg@8",
            "addition                  10.0% → 90.0%   5.0% → 85.0%",
            "gcd                        0.0% → 50.0%   0.0% → 40.0%",
            "words                     20.0% → 30.0%  10.0% → 20.0%",
            "in distribution mean       5.0% → 70.0%   2.5% → 62.5%",
            "out of distribution mean  20.0% → 30.0%  10.0% → 20.0%",
        }));
    }

    [Test]
    public void One_measurement_shows_every_figure() =>
        Assert.That(AccuracyTable.ToText(null, After).Split('\n')[0], Does.Contain("avg@8").And.Contain("pass@8").And.Contain("maj@8"));

    [Test]
    public void Elsewhere_than_on_a_terminal_there_are_plain_lines()
    {
        var text = new StringWriter();
        var results = new StringWriter();
        var console = new RunConsole(text, live: false, quiet: false, results);
        int reported = 0;
        console.Track("training", 3, 0, tracker =>
        {
            for (int i = 1; i <= 3; i++)
            {
                tracker.Report(i);
                console.Step(new StepMetrics(i) { ["reward"] = 0.5 }, 3);
                reported++;
            }
        });
        console.Table(Before, After);
        Assert.That(reported, Is.EqualTo(3));
        Assert.That(text.ToString(), Does.StartWith("step 1/3  reward 0.500\nstep 2/3").And.Not.Contain("\u001b"));
        Assert.That(results.ToString(), Is.EqualTo(AccuracyTable.ToText(Before, After)));
    }

    [Test]
    public void On_a_terminal_the_work_runs_under_a_bar_and_lines_stay_whole()
    {
        var text = new StringWriter();
        var console = new RunConsole(text, live: true, quiet: false);
        console.Track("training", 4, 2, tracker =>
        {
            // Redraws are at least a tenth of a second apart.
            Thread.Sleep(150);
            tracker.Report(3);
            console.Say("[not markup] a line");
            tracker.Report(4);
        });
        Assert.That(text.ToString(), Does.Contain("[not markup] a line").And.Contain("training 3/4, ").And.Contain("left").And.Contain("\u001b["));
    }

    [Test]
    public void The_drawn_table_holds_the_same_cells()
    {
        var text = new StringWriter();
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(text) });
        console.Write(AccuracyTable.ToSpectre(Before, After));
        Assert.That(text.ToString(), Does.Contain("avg@8").And.Contain("10.0% → 90.0%").And.Contain("out of distribution mean"));
    }

    [Test]
    public void Completions_are_shown_without_what_a_terminal_would_obey()
    {
        var text = new StringWriter();
        new RunConsole(text, live: false, quiet: false).Completions(3,
            [new() { PromptId = "a", DataSource = "sums", Prompt = "1+1?", Text = "two\u001b[2J\nlines", Ids = [1, 2], PromptLength = 1, Source = "on", Reward = 1, Advantage = 0 }]);
        Assert.That(text.ToString(), Is.EqualTo("  ┌ step 3, sums, sample, reward 1\n  │ 1+1?\n  │   two\ufffd[2J\n  │   lines\n  └\n"));
    }

    [Test]
    public void Quiet_leaves_warnings_only()
    {
        var text = new StringWriter();
        var console = new RunConsole(text, live: false, quiet: true);
        console.Say("hidden");
        console.Warn("3 demonstrations were left out");
        Assert.That(text.ToString(), Is.EqualTo("warning: 3 demonstrations were left out\n"));
    }

    [Test]
    public void What_breaks_in_the_work_comes_out_of_the_bar()
    {
        foreach (bool live in new[] { false, true })
        {
            var console = new RunConsole(new StringWriter(), live, quiet: false);
            Assert.That(() => console.Track("training", 1, 0, _ => throw new OperationCanceledException()), Throws.TypeOf<OperationCanceledException>());
        }
    }
}
