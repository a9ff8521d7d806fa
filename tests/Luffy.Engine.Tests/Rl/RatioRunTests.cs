using System.Text.Json;
using System.Text.Json.Nodes;
using Luffy.Engine.Configuration;
using Luffy.Engine.Rl;

namespace Luffy.Engine.Tests.Rl;

/// <summary>Whole runs of methods whose importance ratios are not the plain ones.</summary>
[TestFixture]
public sealed class RatioRunTests : TrainingRunFixture
{
    // A random model solves nothing; the reward falls with the length, so there is something to learn.
    private static readonly string[] Grpo = ["method=grpo", "soft_punish_cache=100", "loss_normalizer=sequences", "num_iterations=2", "max_steps=2", "save_steps=1", "save_total_limit=10"];

    private static readonly string[] Narrow = ["epsilon=1e-5", "epsilon_high=1e-5"];

    [Test]
    public void Sequence_ratios_and_token_ratios_part_at_the_second_update()
    {
        // One step of two updates: the first is the same to the bit, because all ratios are 1.
        Execute("token", [.. Grpo, "max_steps=1"]);
        Execute("sequence", [.. Grpo, "max_steps=1", "importance_sampling_level=sequence"]);
        Execute("once", [.. Grpo, "max_steps=1", "num_iterations=1"]);
        foreach (string name in (string[])["actor/on_policy_logprob", "entropy", "sampling/sampling_logp_difference/max"])
            Assert.That(Figure("sequence", name), Is.EqualTo(Figure("token", name)), name);
        Assert.That(Figure("sequence", "actor/grad_norm"), Is.Not.EqualTo(Figure("token", "actor/grad_norm")).And.Positive);
        Assert.That(Figure("sequence", "actor/grad_norm"), Is.Not.EqualTo(Figure("once", "actor/grad_norm")));
    }

    [Test]
    public void Narrow_bounds_clip_the_rows_that_have_moved_far_enough()
    {
        // The advantages of a group add up to 0, and an update moves each row the way its advantage points: in the second every row is clipped, so that
        // it changes nothing, and half of all updates' tokens are counted.
        Execute("clipped", [.. Grpo, .. Narrow, "importance_sampling_level=sequence", "max_steps=1", "lr_scheduler_type=constant"]);
        Assert.That(Figure("clipped", "actor/pg_clipfrac"), Is.InRange(0.2, 0.5));
        Execute("free", [.. Grpo, .. Narrow, "importance_sampling_level=sequence", "max_steps=1", "lr_scheduler_type=constant", "clip=false"]);
        Assert.That(Figure("free", "actor/pg_clipfrac"), Is.Zero);
    }

    [TestCase("importance_sampling_level=sequence")]
    [TestCase("on_policy_reshape=cispo", "clip=false", "epsilon=1e-4", "epsilon_high=1e-4")]
    public void A_run_with_several_updates_a_step_resumes_to_the_same_bytes(params string[] settings) =>
        AssertResumesToTheSameBytes([.. Grpo, .. settings], steps: 2, cutAfter: 1);

    [Test]
    public void Cispo_counts_bounded_tokens_and_lets_them_learn()
    {
        Execute("cispo", [.. Grpo, .. Narrow, "on_policy_reshape=cispo", "clip=false", "max_steps=1"]);
        Execute("ppo", [.. Grpo, .. Narrow, "max_steps=1"]);
        Assert.That(Figure("cispo", "actor/pg_clipfrac"), Is.GreaterThan(Figure("ppo", "actor/pg_clipfrac")), "both ends, whatever the advantage");
        Assert.That(Figure("cispo", "actor/grad_norm"), Is.GreaterThan(Figure("ppo", "actor/grad_norm")));
    }

    [Test]
    public void Rl_plus_records_what_the_old_policy_made_of_demonstrations()
    {
        // A random model gives each of its tokens about the same probability, here and in sampling.
        Execute("several", ["off_policy_reshape=rl_plus", "num_iterations=2", "max_steps=1"]);
        JsonElement[] rows = Rollouts("several", 1);
        double[] sampled = Of(rows, "on"), demonstrated = Of(rows, "off");
        Assert.That(demonstrated.Average(), Is.EqualTo(sampled.Average()).Within(1));
        Assert.That(demonstrated, Has.Length.GreaterThan(20).And.All.Negative);

        Execute("one", ["off_policy_reshape=rl_plus", "max_steps=1"]);
        Assert.That(Rollouts("one", 1).Where(r => r.GetProperty("source").GetString() == "off").Select(r => r.TryGetProperty("old_logprobs", out _)),
            Is.Not.Empty.And.All.False, "one update: the old policy is the current one");

        static double[] Of(JsonElement[] rows, string source) =>
            [.. rows.Where(r => r.GetProperty("source").GetString() == source).SelectMany(r => r.GetProperty("old_logprobs").EnumerateArray().Select(p => p.GetDouble()))];
    }

    [Test]
    public void Replay_counts_ratios_by_sequence_too()
    {
        // Old log-probs .3 and .1 above the present ones: ratios e^−.3 and e^−.1, or e^−.2 for both.
        double last = Replay(3, "", "token")["actor/on_policy_logprob"]!.GetValue<double>();
        double first = (2 * Replay(2, "", "token")["actor/on_policy_logprob"]!.GetValue<double>()) - last;
        string old = FormattableString.Invariant($", \"old_logprobs\": [{first + 0.3}, {last + 0.1}]");
        Assert.That(Loss("token"), Is.EqualTo(-(Math.Exp(-.3) + Math.Exp(-.1)) / 2).Within(1e-5));
        Assert.That(Loss("sequence"), Is.EqualTo(-Math.Exp(-.2)).Within(1e-5));

        double Loss(string level) => Replay(2, old, level)["actor/on_pg_loss"]!.GetValue<double>();

        JsonObject Replay(int promptLength, string more, string level)
        {
            string batch = Path.Combine(Folder, "batch.jsonl");
            File.WriteAllText(batch, $$"""{"ids": [5, 6, 7, 8], "prompt_length": {{promptLength}}, "source": "on", "advantage": 1{{more}}}""");
            ReplayConfiguration replay = ConfigurationLoader.LoadReplay([ConfigurationOverride.Parse($"importance_sampling_level={level}")]);
            return BatchReplay.Run(ModelDirectory, batch, null, replay, new ModelOptions { Backend = "reference" });
        }
    }

    [TestCase("importance_sampling_level=sequence", "one update")]
    [TestCase("on_policy_reshape=cispo", "has the clip in its weight")]
    [TestCase("on_policy_reshape=rl_plus", "off_policy_reshape: rl_plus")]
    [TestCase("off_policy_reshape=cispo", "on_policy_reshape: cispo")]
    [TestCase("behavior_reshape=rl_plus", "no function of p/q")]
    [TestCase("sft_reshape=none", "method grpo has none")]
    [TestCase("sft_reshape=rl_plus", "imitation has none")]
    public void What_means_nothing_is_refused(string setting, string reason) => Assert.That(
        () => ConfigurationLoader.ParseTraining("method: grpo\nmini_batches: 1", "run.yaml", [ConfigurationOverride.Parse(setting)]),
        Throws.TypeOf<LuffyException>().With.Message.Contains(reason));

    private double Figure(string run, string name) => Metrics(run, 1).GetProperty(name).GetDouble();
}
