using System.Text.Json;

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
}
