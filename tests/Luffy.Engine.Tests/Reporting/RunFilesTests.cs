using System.Text.Json;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Reporting;

namespace Luffy.Engine.Tests.Reporting;

public sealed class RunFilesTests
{
    private static StepMetrics Metrics(int step, double reward) => new(step) { ["reward"] = reward, ["actor/pg_loss"] = -0.25 };

    [Test]
    public void Metrics_are_one_object_a_step_in_order()
    {
        using var folder = new TemporaryFolder();
        using (var log = new MetricsLog(folder["metrics.jsonl"]))
        {
            log.Write(Metrics(1, 0.5));
            Assert.That(File.ReadAllText(folder["metrics.jsonl"]), Is.EqualTo("""{"step":1,"reward":0.5,"actor/pg_loss":-0.25}""" + "\n"), "written before the next step");
            log.Write(Metrics(2, double.NaN));
        }
        Assert.That(File.ReadAllLines(folder["metrics.jsonl"])[1], Is.EqualTo("""{"step":2,"reward":"NaN","actor/pg_loss":-0.25}"""));
    }

    [Test]
    public void A_resumed_run_cuts_what_it_will_make_again()
    {
        using var folder = new TemporaryFolder();
        string path = folder["metrics.jsonl"];
        using (var log = new MetricsLog(path))
        {
            for (int step = 1; step <= 5; step++)
                log.Write(Metrics(step, step / 10.0));
        }
        string[] whole = File.ReadAllLines(path);
        File.AppendAllText(path, "{\"step\":6,\"rew");
        using (var log = new MetricsLog(path, lastStep: 3))
            log.Write(Metrics(4, 0.4));
        Assert.That(File.ReadAllLines(path), Is.EqualTo(whole[..4]));
    }

    [Test]
    public void A_torn_last_line_is_cut_even_where_its_step_would_stay()
    {
        using var folder = new TemporaryFolder();
        string path = folder["metrics.jsonl"];
        File.WriteAllText(path, "{\"step\":1}\n{\"step\":2}");
        new MetricsLog(path, lastStep: 2).Dispose();
        Assert.That(File.ReadAllText(path), Is.EqualTo("{\"step\":1}\n"));
    }

    [Test]
    public void A_file_that_is_something_else_is_not_cut()
    {
        using var folder = new TemporaryFolder();
        string path = folder["metrics.jsonl"];
        File.WriteAllText(path, "dear diary\n");
        Assert.That(() => new MetricsLog(path), Throws.TypeOf<LuffyException>().With.Message.Contains("metrics.jsonl:1:"));
        Assert.That(File.ReadAllText(path), Is.EqualTo("dear diary\n"));
    }

    [Test]
    public void A_place_that_cannot_be_written_is_one_sentence()
    {
        using var folder = new TemporaryFolder();
        Assert.That(() => new MetricsLog(Path.Combine(folder["missing"], "metrics.jsonl")), Throws.TypeOf<LuffyException>().With.Message.Contains("missing"));
    }

    [Test]
    public void Rollouts_hold_what_replay_reads_and_later_steps_go_on_resuming()
    {
        using var folder = new TemporaryFolder();
        var log = new RolloutLog(folder["rollouts"]);
        var row = new RolloutRecord
        {
            PromptId = "addition-7",
            DataSource = "addition",
            Prompt = "1+1?",
            Text = "\\boxed{2} – «ok»",
            Ids = [1, 2, 3],
            PromptLength = 2,
            Source = "on",
            Reward = 1,
            Advantage = 0.875,
            OldLogprobs = [-0.1f],
        };
        for (int step = 1; step <= 3; step++)
            log.Write(step, [row, row with { Source = "off", OldLogprobs = null }]);
        Assert.That(Path.GetFileName(log.PathOf(2)), Is.EqualTo("step-000002.jsonl"));
        string[] lines = File.ReadAllLines(log.PathOf(2));
        Assert.That(lines, Has.Length.EqualTo(2));
        using JsonDocument on = JsonDocument.Parse(lines[0]);
        Assert.That(on.RootElement.GetProperty("old_logprobs")[0].GetSingle(), Is.EqualTo(-0.1f));
        Assert.That(on.RootElement.GetProperty("prompt_length").GetInt32(), Is.EqualTo(2));
        Assert.That(on.RootElement.GetProperty("text").GetString(), Is.EqualTo(row.Text));
        Assert.That(lines[1], Does.Contain("\"source\":\"off\"").And.Not.Contain("old_logprobs"));

        _ = new RolloutLog(folder["rollouts"], lastStep: 1);
        Assert.That(Directory.GetFiles(folder["rollouts"]), Is.EqualTo(new[] { log.PathOf(1) }));
    }

    [Test]
    public void The_summary_has_the_fields_that_scripts_read()
    {
        using var folder = new TemporaryFolder();
        FamilyAccuracy[] before = [new("addition", TaskCategory.InDistribution, 100, 0.1), new("gcd", TaskCategory.InDistribution, 100, 0), new("words", TaskCategory.OutOfDistribution, 50, 0.2)];
        FamilyAccuracy[] after = [.. before.Select(f => f with { Greedy = f.Greedy + 0.5, Samples = 8, AverageAtK = 0.25 })];
        new RunSummary { Method = "luffy", Seed = 42, Steps = 3, Seconds = 4, Tokens = 1000, SampledTokens = 600, TrainedTokens = 400, ScoredTokens = 50, ModelFlops = 3e9, PeakMemoryBytes = 5, PlannedMemoryBytes = 6 }
            .WithAccuracy(before, after, after).Save(folder["summary.json"]);
        Assert.That(RunSummary.Load(folder["summary.json"]).ToJson(), Is.EqualTo(File.ReadAllText(folder["summary.json"])));
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(folder["summary.json"]));
        JsonElement root = json.RootElement;
        Assert.Multiple(() =>
        {
            Assert.That(root.GetProperty("steps").GetInt32(), Is.EqualTo(3));
            Assert.That(root.GetProperty("tokens_per_second").GetDouble(), Is.EqualTo(250));
            Assert.That(root.GetProperty("peak_memory_bytes").GetInt64(), Is.EqualTo(5));
            Assert.That(root.GetProperty("planned_memory_bytes").GetInt64(), Is.EqualTo(6));
            Assert.That(root.GetProperty("accuracy_before").GetProperty("id_mean").GetDouble(), Is.EqualTo(0.05));
            Assert.That(root.GetProperty("accuracy_before").GetProperty("ood_mean").GetDouble(), Is.EqualTo(0.2));
            Assert.That(root.GetProperty("accuracy_after").GetProperty("gcd").GetDouble(), Is.EqualTo(0.5));
            Assert.That(root.GetProperty("avg_at_k_after").GetProperty("addition").GetDouble(), Is.EqualTo(0.25));
            Assert.That(root.GetProperty("eval_samples").GetInt32(), Is.EqualTo(8));
            Assert.That(root.GetProperty("accuracy_validation").GetProperty("id_mean").GetDouble(), Is.EqualTo(0.55));
            Assert.That(root.GetProperty("model_flops").GetDouble(), Is.EqualTo(3e9));
        });
    }

    [Test]
    public void Runs_are_numbered_and_never_written_over()
    {
        using var folder = new TemporaryFolder();
        string output = folder["a"];
        Assert.That(() => RunDirectory.Open(output, "luffy"), Throws.TypeOf<LuffyException>());
        RunDirectory run = RunDirectory.Create(output, "luffy");
        File.WriteAllText(run.Configuration, "seed: 1\n");
        Assert.That(() => RunDirectory.Create(output, "luffy"), Throws.TypeOf<LuffyException>().With.Message.Contains("--resume"));
        Assert.That(RunDirectory.Open(output, "luffy").Root, Is.EqualTo(output));
        Assert.That(RunDirectory.Create(null, $"none-{Guid.NewGuid():n}").Root, Does.StartWith(RunDirectory.DefaultParent));
    }
}
