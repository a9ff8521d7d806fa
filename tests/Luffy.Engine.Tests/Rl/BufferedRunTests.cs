using System.Text.Json;
using Luffy.Engine.Configuration;
using Luffy.Engine.Rl;

namespace Luffy.Engine.Tests.Rl;

/// <summary>Whole runs of methods that keep something from step to step.</summary>
[TestFixture]
public sealed class BufferedRunTests : TrainingRunFixture
{
    // A random model solves nothing: both prompts of every step fail, and every second step imitates three of the four that then wait.
    private static readonly string[] Relift =
        ["method=grpo", "imitate_failed_every=3", "sft_learning_rate=1e-3", "learning_rate=1e-4", "lr_scheduler_type=constant", "soft_punish_cache=100"];

    [TestCase("f32")]
    [TestCase("bf16")]
    public void A_run_that_imitates_failures_resumes_to_the_same_bytes(string dtype) =>
        AssertResumesToTheSameBytes([.. Relift, $"dtype={dtype}", "max_steps=4", "save_steps=1", "save_total_limit=10"], steps: 4, cutAfter: 2);

    [Test]
    public void Imitation_has_moments_of_its_own()
    {
        // With a learning rate of 0 reinforcement learning leaves no trace but its moments, and imitation of both prompts in each step is that of sft.
        string[] settings = ["max_steps=2", "save_steps=2", "lr_scheduler_type=constant", "sft_learning_rate=1e-3"];
        Execute("relift", [.. settings, "method=grpo", "learning_rate=0", "soft_punish_cache=100", "imitate_failed_every=2"]);
        Execute("sft", [.. settings, "method=sft"]);
        (Dictionary<string, float[]> relift, Dictionary<string, float[]> sft) = (Weights(Checkpoint("relift")), Weights(Checkpoint("sft")));
        foreach ((string name, float[] values) in sft) Assert.That(relift[name].AsSpan().SequenceEqual(values), Is.True, name);
        Assert.That(Metrics("relift", 1).GetProperty("actor/grad_norm").GetDouble(), Is.Positive, "there was reinforcement learning");
    }

    [Test]
    public void Failures_are_imitated_when_a_batch_of_them_waits()
    {
        Execute("relift", [.. Relift, "max_steps=3", "save_steps=1"]);
        (double, double, double)[] figures = [.. Enumerable.Range(1, 3).Select(step =>
        {
            JsonElement m = Metrics("relift", step);
            return (m.GetProperty("batch/imitated_prompts").GetDouble(), m.GetProperty("batch/failed_prompts_waiting").GetDouble(), m.GetProperty("actor/sft_lr").GetDouble());
        })];
        Assert.That(figures, Is.EqualTo(new[] { (0, 2, 1e-3), (3, 1, 1e-3), (3, 0, 1e-3) }));
        Assert.That((Metrics("relift", 1).GetProperty("actor/sft_loss").GetDouble(), Metrics("relift", 1).GetProperty("actor/sft_grad_norm").GetDouble()), Is.EqualTo((0, 0)));
        // A random model gives each of its tokens about the same probability.
        Assert.That(Metrics("relift", 2).GetProperty("actor/sft_loss").GetDouble(), Is.InRange(4, 8));
        Assert.That(Metrics("relift", 2).GetProperty("actor/sft_grad_norm").GetDouble(), Is.Positive);
        Assert.That(Metrics("relift", 3).GetProperty("actor/sft_loss").GetDouble(), Is.LessThan(Metrics("relift", 2).GetProperty("actor/sft_loss").GetDouble()));
    }

    [Test]
    public void Imitation_alone_has_no_failures_to_imitate() => Assert.That(
        () => Execute("refused", ["method=sft", "imitate_failed_every=3"]), Throws.TypeOf<LuffyException>().With.Message.Contains("imitate_failed_every"));

    // A random model solves nothing, so that of four rows two are free, one continues half of the demonstration, and one is the demonstration.
    private static readonly string[] Trapo =
        ["num_demonstrations=0", "micro_groups=[2, 1, 1]", "micro_group_prefix_ratios=[0.5, 1]", "micro_group_thresholds=[1, 2]", "off_policy_reshape=trust_region"];

    [Test]
    public void Rounds_after_failures_are_given_more_and_more_of_the_demonstration()
    {
        Execute("trapo", [.. Trapo, "max_steps=1"]);
        foreach (IGrouping<string, JsonElement> group in Rollouts("trapo", 1).GroupBy(r => r.GetProperty("prompt_id").GetString()!))
        {
            JsonElement[] rows = [.. group];
            Assert.That(rows.Select(r => r.GetProperty("source").GetString()), Is.EqualTo(new[] { "on", "on", "on", "off" }));
            Assert.That(rows.Select(r => r.TryGetProperty("prefix_advantage", out JsonElement a) && a.ValueKind == JsonValueKind.Number ? a.GetDouble() : double.NaN),
                Is.EqualTo(new[] { double.NaN, double.NaN, 1, 1 }));
            int demonstration = rows[3].GetProperty("ids").GetArrayLength() - rows[3].GetProperty("prompt_length").GetInt32();
            Assert.That(rows.Select(r => r.GetProperty("prefix_length").GetInt32()), Is.EqualTo(new[] { 0, 0, demonstration / 2, 0 }));
            Assert.That(rows.Select(Ids), Is.Unique, "samples of different rounds differ");
        }

        JsonElement metrics = Metrics("trapo", 1);
        Assert.That((metrics.GetProperty("batch/guided_groups").GetDouble(), metrics.GetProperty("sampling/sampling_logp_difference/max").GetDouble()), Is.EqualTo((2, 0)));
    }

    [Test]
    public void A_recorded_step_of_rounds_can_be_executed_again()
    {
        Execute("trapo", [.. Trapo, "max_steps=1", "loss_normalizer=tokens", "entropy_coef=0"]);
        ReplayConfiguration replay = ConfigurationLoader.LoadReplay([ConfigurationOverride.Parse("loss_normalizer=tokens"), ConfigurationOverride.Parse("off_policy_reshape=trust_region")]);
        var result = BatchReplay.Run(ModelDirectory, Path.Combine(Folder, "trapo", "rollouts", "step-000001.jsonl"), null, replay, new ModelOptions { Backend = "cpu", Dtype = StorageType.F32 });
        JsonElement metrics = Metrics("trapo", 1);
        foreach (string name in (string[])["loss", "actor/grad_norm"])
            Assert.That(result[name]!.GetValue<double>(), Is.EqualTo(metrics.GetProperty(name).GetDouble()).Within(1e-5), name);
    }

    [Test]
    public void A_run_in_rounds_resumes_to_the_same_bytes() =>
        AssertResumesToTheSameBytes([.. Trapo, "max_steps=3", "save_steps=1", "save_total_limit=10"], steps: 3, cutAfter: 1);

    // Imitation teaches the tiny model its four answers well enough to be right now and then, and at that temperature not always.
    private string[] Exgrpo()
    {
        string file = Path.Combine(Folder, "sums.jsonl");
        File.WriteAllLines(file, new[] { "1+4", "2+3", "3+2", "4+1" }.Select(sum => $$"""{"prompt":"{{sum}}=?","answer":"5","work":"</think>\\boxed{5}"}"""));
        return
        [
            $"dataset_name={file}", "columns.demonstration=work", "eval_dataset_name=builtin", "method=sft_then_rl", "prompts_per_step=4", "num_generations=4", "sft_steps=20",
            "sft_learning_rate=1e-2", "learning_rate=1e-4", "lr_scheduler_type=constant", "temperature=1.2", "behavior_reshape=p_div_p_gamma",
            "experience_ratio=0.5", "experience_start=0", "max_steps=26", "save_steps=1", "save_total_limit=30", "mini_batches=2",
        ];
    }

    [Test]
    public void Past_successes_are_replayed_and_a_resumed_run_replays_the_same()
    {
        AssertResumesToTheSameBytes(Exgrpo(), steps: 26, cutAfter: 24);
        JsonElement[] steps = [.. Enumerable.Range(21, 6).Select(step => Metrics("whole", step))];
        Assert.That(steps[0].GetProperty("experience/replayed_groups").GetDouble(), Is.Zero, "nothing is stored yet");
        Assert.That(steps[^1].GetProperty("experience/replayed_groups").GetDouble(), Is.Positive);
        JsonElement[] replayed = [.. Rollouts("whole", 26).Where(r => r.TryGetProperty("behavior_logprobs", out JsonElement b) && b.ValueKind == JsonValueKind.Array)];
        Assert.That(replayed, Has.Length.EqualTo((int)steps[^1].GetProperty("experience/replayed_groups").GetDouble()));
        foreach (JsonElement row in replayed)
        {
            Assert.That(row.GetProperty("source").GetString(), Is.EqualTo("off"));
            Assert.That(row.GetProperty("reward").GetDouble(), Is.EqualTo(1), "only successes are replayed");
            string text = Ids(row), prompt = row.GetProperty("prompt_id").GetString()!;
            Assert.That(Enumerable.Range(21, 5).SelectMany(step => Rollouts("whole", step)).Any(r => r.GetProperty("prompt_id").GetString() == prompt && Ids(r) == text), "it was sampled before");
        }
    }

    [TestCase("experience_ratio=0.5;method=sft", "method sft")]
    [TestCase("experience_ratio=0.5;method=grpo;max_resample_times=1", "max_resample_times")]
    [TestCase("experience_ratio=0.5;num_generations=2", "num_generations")]
    public void Replay_is_refused_where_it_has_no_sense(string settings, string named) => Assert.That(
        () => ConfigurationLoader.ParseTraining("", "test", [.. settings.Split(';').Select(ConfigurationOverride.Parse)]), Throws.TypeOf<LuffyException>().With.Message.Contains(named));
}
