using System.Text.Json;
using Luffy.Engine.Configuration;
using Luffy.Engine.Optim;
using Luffy.Engine.Reporting;
using Luffy.Engine.Rl;

namespace Luffy.Engine.Tests.Rl;

/// <summary>A budget of sampled tokens, what a run records of its measurements, and what it counts.</summary>
public sealed class TrainingBudgetTests : TrainingRunFixture
{
    private double[] Figures(string run, string figure) =>
        [.. File.ReadLines(Path.Combine(Folder, run, "metrics.jsonl")).Select(l => JsonDocument.Parse(l).RootElement.GetProperty(figure).GetDouble())];

    // Two prompts with three samples of at most 100 tokens: more than 200 and at most 600 tokens a step.
    private static readonly string[] Budget = ["max_steps=50", "max_rollout_tokens=1500", "lr_scheduler_type=linear", "save_steps=1", "save_total_limit=50", "prefix_strategy=linear"];

    [Test]
    public void A_run_ends_after_the_step_that_spends_the_budget_and_its_rate_falls_with_it()
    {
        RunSummary summary = Execute("run", Budget);
        double[] sampled = Figures("run", "num_sampled_tokens"), rates = Figures("run", "actor/lr");
        Assert.That(sampled[^1], Is.GreaterThanOrEqualTo(1500).And.EqualTo(summary.SampledTokens));
        Assert.That(sampled[^2], Is.LessThan(1500));
        Assert.That((summary.Steps, sampled.Length), Is.EqualTo((sampled.Length, summary.Steps)));
        Assert.That(rates[0], Is.EqualTo(1e-3));
        for (int i = 1; i < rates.Length; i++) Assert.That(rates[i], Is.EqualTo(1e-3 * (1 - Math.Max(i / 50.0, sampled[i - 1] / 1500))).Within(1e-15));
        Assert.That(Directory.Exists(Path.Combine(Folder, "run", "checkpoints", $"step-{summary.Steps:D6}")), "the last step is saved");
    }

    [Test]
    public void A_resumed_run_has_spent_what_it_had_spent()
    {
        RunSummary whole = Execute("whole", Budget);
        using var source = new CancellationTokenSource();
        Assert.That(() => Execute("cut", Budget, steps => { if (steps == 2) source.Cancel(); }, cancellation: source.Token), Throws.InstanceOf<OperationCanceledException>());
        RunSummary resumed = Execute("cut", Budget, resume: true);
        Assert.That((resumed.Steps, resumed.SampledTokens, resumed.TrainedTokens, resumed.ModelFlops), Is.EqualTo((whole.Steps, whole.SampledTokens, whole.TrainedTokens, whole.ModelFlops)));
        string name = Path.Combine("checkpoints", $"step-{whole.Steps:D6}", "model.safetensors");
        Assert.That(File.ReadAllBytes(Path.Combine(Folder, "cut", name)), Is.EqualTo(File.ReadAllBytes(Path.Combine(Folder, "whole", name))));
        // A finished run has nothing to add.
        Assert.That(Execute("cut", Budget, resume: true).Steps, Is.EqualTo(whole.Steps));
    }

    [Test]
    public void Imitation_comes_before_and_costs_nothing_of_the_budget()
    {
        RunSummary summary = Execute("both", ["method=sft_then_rl", "sft_steps=3", "max_steps=50", "max_rollout_tokens=1000", "lr_scheduler_type=linear", "warmup_steps=1"]);
        double[] sampled = Figures("both", "num_sampled_tokens"), rates = Figures("both", "actor/lr");
        Assert.That(sampled[..3], Is.All.Zero);
        Assert.That((sampled[^1], sampled[^2]), Is.EqualTo(((double)summary.SampledTokens, sampled[^2])));
        Assert.That(sampled[^2], Is.LessThan(1000).And.LessThan(sampled[^1]));
        // Each stage warms up by itself and falls by itself.
        Assert.That(rates[..5], Is.EqualTo(new[] { 0, 1e-3, 0.5e-3, 0, rates[4] }).Within(1e-15));
        Assert.That(rates[4], Is.EqualTo(1e-3 * (1 - (((sampled[3] / 1000 * 47) - 1) / 46))).Within(1e-15));
    }

    [Test]
    public void Operations_are_counted_as_two_and_six_for_each_parameter_and_token()
    {
        RunSummary summary = Execute("run", ["max_steps=2", "beta=0.01"]);
        Assert.That(new[] { summary.SampledTokens, summary.TrainedTokens, summary.ScoredTokens }, Is.All.GreaterThan(0L));
        // The reference model scores what is trained on: every row of a group with signal, without its last token.
        Assert.That(summary.ScoredTokens, Is.EqualTo(summary.TrainedTokens));
        Assert.That(summary.Tokens, Is.EqualTo(summary.SampledTokens + summary.TrainedTokens));
        double parameters = summary.ModelFlops / ((2 * (summary.SampledTokens + summary.ScoredTokens)) + (6 * summary.TrainedTokens));
        Assert.That(parameters, Is.EqualTo(Math.Round(parameters)).Within(1e-6).And.GreaterThan(10_000));
    }

    [Test]
    public void Measurements_and_problems_are_recorded_and_a_resumed_run_records_them_once()
    {
        string[] settings = ["max_steps=3", "save_steps=1", "eval_steps=1", "eval_on_start=true", "eval_samples=2", "eval_after=[validation, test]"];
        using var source = new CancellationTokenSource();
        Assert.That(() => Execute("run", settings, steps => { if (steps == 2) source.Cancel(); }, cancellation: source.Token), Throws.InstanceOf<OperationCanceledException>());
        RunSummary summary = Execute("run", settings, resume: true);
        var run = new RunDirectory(Path.Combine(Folder, "run"));
        IReadOnlyList<EvaluationRecord> records = EvaluationLog.Read<EvaluationRecord>(run.Evaluations);
        Assert.That(records.Select(r => (r.Step, r.Split)), Is.EqualTo(new[] { (0, "test"), (1, "validation"), (2, "validation"), (3, "validation"), (3, "test") }));
        Assert.That(records[^1].Accuracy, Is.EqualTo(summary.AccuracyAfter));
        Assert.That(records[3].AvgAtK, Is.EqualTo(summary.AvgAtKValidation));
        Assert.That(summary.AccuracyValidation!.Keys, Is.EqualTo(summary.AccuracyAfter!.Keys));
        IReadOnlyList<ProblemRecord> before = EvaluationLog.Read<ProblemRecord>(run.Problems("test", after: false)), after = EvaluationLog.Read<ProblemRecord>(run.Problems("test", after: true));
        Assert.That(before.Select(p => p.Id), Is.EqualTo(after.Select(p => p.Id)).And.Unique);
        Assert.That(after, Has.Count.EqualTo(9));
        Assert.That(after.Select(p => p.Samples.Length), Is.All.EqualTo(2));
        Assert.That(after.Count(p => p.Greedy) / 9.0, Is.EqualTo(summary.AccuracyAfter.Where(f => !f.Key.EndsWith("_mean", StringComparison.Ordinal)).Average(f => f.Value)).Within(1e-12));
        Assert.That(File.ReadAllText(run.Problems("test", after: true)), Does.Contain("\"category\":\"out_of_distribution\""));
    }

    [Test]
    public void A_budget_of_sampled_tokens_is_refused_where_nothing_is_sampled() => Assert.That(
        () => ConfigurationLoader.ParseTraining("method: sft\nmax_rollout_tokens: 100", "run.yaml", []), Throws.TypeOf<LuffyException>().With.Message.Contains("max_steps"));

    [Test]
    public void A_schedule_falls_with_whichever_end_is_nearer()
    {
        var schedule = new LearningRateSchedule(1, LearningRateScheduler.Linear, 10, 110);
        Assert.That((schedule.At(5, 0.9), schedule.At(60), schedule.At(60, 0.1), schedule.At(10, 0.5), schedule.At(20, 1)), Is.EqualTo((0.5, 0.5, 0.5, 0.55, 0.0)));
    }
}
