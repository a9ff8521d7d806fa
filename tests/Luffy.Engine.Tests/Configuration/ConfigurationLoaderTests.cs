using CsCheck;
using Luffy.Engine.Configuration;

namespace Luffy.Engine.Tests.Configuration;

public sealed class ConfigurationLoaderTests
{
    private static TrainingConfiguration Parse(string yaml, params string[] set) =>
        ConfigurationLoader.ParseTraining(yaml, "run.yaml", [.. set.Select(ConfigurationOverride.Parse)]);

    private static string Message(string yaml, params string[] set)
    {
        LuffyException e = Assert.Throws<LuffyException>(() => Parse(yaml, set))!;
        Assert.That(e.ExitCode, Is.EqualTo(2));
        return e.Message;
    }

    [Test]
    public void Defaults_are_those_of_the_published_run()
    {
        TrainingConfiguration c = Parse("");
        Assert.Multiple(() =>
        {
            Assert.That(c.Method, Is.EqualTo(TrainingMethod.Luffy));
            Assert.That(c.Rollout.PromptsPerStep, Is.EqualTo(128));
            Assert.That(c.Rollout.NumGenerations, Is.EqualTo(8));
            Assert.That(c.Guidance.NumDemonstrations, Is.EqualTo(1));
            Assert.That(c.SampledRows, Is.EqualTo(7));
            Assert.That(c.Optimizer.LearningRate, Is.EqualTo(1e-6));
            Assert.That(c.Loss.OffPolicyGamma, Is.EqualTo(0.1));
            Assert.That(c.Loss.Clip, Is.False);
            Assert.That(c.Optimizer.MiniBatches, Is.EqualTo(2));
            Assert.That(c.Reward.ScaleRewards, Is.EqualTo(RewardScaling.None));
        });
    }

    [Test]
    public void The_method_decides_defaults_wherever_it_is_given()
    {
        TrainingConfiguration grpo = Parse("num_generations: 4", "method=grpo");
        Assert.That((grpo.Guidance.NumDemonstrations, grpo.Loss.Clip, grpo.SampledRows), Is.EqualTo((0, true, 4)));
        Assert.That(Parse("method: grpo\nclip: false").Loss.Clip, Is.False);
    }

    [Test]
    public void What_is_set_on_top_wins()
    {
        TrainingConfiguration c = Parse("learning_rate: 1e-5\ncolumns:\n  prompt: question\n", "learning_rate=3e-4", "columns.answer=solution");
        Assert.That(c.Optimizer.LearningRate, Is.EqualTo(3e-4));
        Assert.That((c.Data.Columns.Prompt, c.Data.Columns.Answer), Is.EqualTo(("question", "solution")));
    }

    [TestCase("seed: 1\nlearning_rat: 1", "run.yaml:2: unknown key 'learning_rat'; did you mean 'learning_rate'?")]
    [TestCase("lr: 1", "run.yaml:1: unknown key 'lr'; did you mean 'learning_rate'?")]
    [TestCase("columns:\n  promt: q", "run.yaml:2: unknown key 'columns.promt'; did you mean 'columns.prompt'?")]
    [TestCase("num_genertaions: 8", "run.yaml:1: unknown key 'num_genertaions'; did you mean 'num_generations'?")]
    [TestCase("xyzzy: 1", "run.yaml:1: unknown key 'xyzzy'; the keys are listed by 'luffy train --dry-run'.")]
    [TestCase("columns: 3", "run.yaml:1: columns: found '3', expected a map with prompt, answer, demonstration, demonstration_flags, demonstration_logprobs, id, source, system.")]
    public void An_unknown_key_is_named_with_its_line_and_the_nearest(string yaml, string message) =>
        Assert.That(Message(yaml), Is.EqualTo(message));

    [TestCase("learning_rate: fast", "run.yaml:1: learning_rate: found 'fast', expected a number with 0 ≤ learning_rate.")]
    [TestCase("\ntop_p: 1.5", "run.yaml:2: top_p: found 1.5, expected a number with 0 < top_p ≤ 1.")]
    [TestCase("top_p: 0", "run.yaml:1: top_p: found 0, expected a number with 0 < top_p ≤ 1.")]
    [TestCase("max_steps: 1.5", "run.yaml:1: max_steps: found '1.5', expected a whole number with 1 ≤ max_steps.")]
    [TestCase("max_steps:", "run.yaml:1: max_steps: found nothing, expected a whole number with 1 ≤ max_steps.")]
    [TestCase("clip: yes", "run.yaml:1: clip: found 'yes', expected true or false.")]
    [TestCase("method: ppo", "run.yaml:1: method: found 'ppo', expected one of luffy, grpo, sft, sft_then_rl.")]
    [TestCase("min_p: [1]", "run.yaml:1: min_p: found a list, expected a number with 0 ≤ min_p < 1.")]
    [TestCase("temperature: .nan", "run.yaml:1: temperature: found '.nan', expected a number with 0 < temperature.")]
    [TestCase("- a", "run.yaml:1: found a list, expected lines of 'key: value'.")]
    public void A_wrong_value_is_named_with_what_was_found_and_expected(string yaml, string message) =>
        Assert.That(Message(yaml), Is.EqualTo(message));

    [Test]
    public void A_wrong_override_is_named_as_typed()
    {
        Assert.That(Message("", "top_k=many"), Is.EqualTo("--set top_k=many: top_k: found 'many', expected a whole number with 0 ≤ top_k."));
        Assert.That(Message("", "novalue"), Does.StartWith("--set novalue: expected key=value"));
    }

    [TestCase("seed: 1\nseed: 2", "run.yaml:2: ")]
    [TestCase("seed: [1", "run.yaml:")]
    public void Broken_yaml_is_named_with_its_line(string yaml, string start) => Assert.That(Message(yaml), Does.StartWith(start).And.Contain("YAML"));

    [TestCase("num_demonstrations: 8", "num_generations")]
    [TestCase("max_completion_length: 10\nsoft_punish_cache: 11", "max_completion_length")]
    [TestCase("demonstration_switch: true", "demonstration_gate")]
    [TestCase("method: grpo\ndemonstration_start: 0.3", "num_demonstrations")]
    [TestCase("advantage_estimator: rloo\nscale_rewards: group", "scale_rewards")]
    [TestCase("advantage_estimator: reinforce_plus_plus\nscale_rewards: batch", "scale_rewards")]
    [TestCase("scale_rewards: group\nadvantage_baseline: on_policy", "a million")]
    [TestCase("advantage_estimator: reinforce_plus_plus\nadvantage_baseline: on_policy", "reinforce_plus_plus_baseline")]
    [TestCase("advantage_estimator: rloo\nnum_generations: 2", "num_generations")]
    [TestCase("num_demonstrations: 0", "method: grpo")]
    [TestCase("method: grpo\nnum_demonstrations: 1", "method: luffy")]
    [TestCase("min_prefix_ratio: 0.95", "max_prefix_ratio")]
    [TestCase("mini_batches: 200", "prompts_per_step")]
    [TestCase("warmup_steps: 5", "constant_with_warmup")]
    [TestCase("sft_steps: 5", "sft_then_rl")]
    [TestCase("method: sft_then_rl\nsft_steps: 500", "max_steps")]
    [TestCase("loss_type: grpo\nloss_normalizer: tokens", "loss_normalizer sequences")]
    [TestCase("reward_weights: [1, 2]", "reward_funcs")]
    [TestCase("reward_funcs: []", "reward_funcs")]
    [TestCase("off_policy_clip_low: 2\noff_policy_clip_high: 1", "off_policy_clip_high")]
    public void Contradictions_are_refused(string yaml, string named) => Assert.That(Message(yaml), Does.Contain(named));

    [TestCase("grpo", LossNormalizer.Sequences)]
    [TestCase("bnpo", LossNormalizer.Tokens)]
    [TestCase("dr_grpo", LossNormalizer.MaxLength)]
    [TestCase("dapo", LossNormalizer.Tokens)]
    public void Loss_types_of_trl_choose_the_normaliser(string type, LossNormalizer normalizer) =>
        Assert.That(Parse($"loss_type: {type}").Loss.LossNormalizer, Is.EqualTo(normalizer));

    [TestCase("method: sft", 500)]
    [TestCase("method: sft_then_rl", 250)]
    [TestCase("method: sft_then_rl\nsft_steps: 20", 20)]
    [TestCase("method: luffy", 0)]
    public void Imitation_steps_follow_from_the_method(string yaml, int steps) => Assert.That(Parse(yaml).ImitationSteps, Is.EqualTo(steps));

    [Test]
    public void A_printed_configuration_reads_back_the_same()
    {
        Gen.Select(Gen.String, Gen.Double[1e-12, 1], Gen.Int[1, 1000], Gen.Enum<PolicyReshape>().Where(r => r != PolicyReshape.Cispo), Gen.Bool).Sample((text, number, whole, reshape, flag) =>
        {
            // YAML holds Unicode text; a lone half of a surrogate pair is none, and NUL is no YAML character.
            text = string.Concat(text.Where(c => !char.IsSurrogate(c) && c is not ('\0' or '\ufffe' or '\uffff')));
            var written = TrainingConfiguration.DefaultsFor(TrainingMethod.Luffy) with
            {
                Data = new() { SystemPrompt = text, AnswerAfter = flag ? null : text, TaskFamilies = flag ? [text, "addition"] : null },
                Optimizer = new() { LearningRate = number, MaxSteps = whole },
                Loss = new() { OffPolicyReshape = reshape, MaxProbability = flag ? number : null },
            };
            string yaml = ConfigurationWriter.ToYaml(written);
            TrainingConfiguration read = Parse(yaml);
            Assert.That(read.Data.SystemPrompt, Is.EqualTo(text));
            Assert.That(read.Optimizer, Is.EqualTo(written.Optimizer));
            Assert.That(read.Loss, Is.EqualTo(written.Loss));
            Assert.That(ConfigurationWriter.ToYaml(read), Is.EqualTo(yaml));
        }, iter: 300);
    }

    [Test]
    public void The_quickstart_trains_with_every_method()
    {
        foreach (string method in new[] { "luffy", "grpo", "sft", "sft_then_rl" })
            Assert.That(() => ConfigurationLoader.LoadTraining(null, [ConfigurationOverride.Parse($"method={method}")]), Throws.Nothing);
    }

    [Test]
    public void A_missing_file_is_named() =>
        Assert.That(() => ConfigurationLoader.LoadTraining("no/such.yaml", []), Throws.TypeOf<LuffyException>().With.Message.Contains("no/such.yaml"));

    [Test]
    public void Replay_takes_the_settings_of_the_loss_and_no_others()
    {
        ReplayConfiguration c = ConfigurationLoader.LoadReplay(
            [ConfigurationOverride.Parse("off_policy_reshape=sqrt"), ConfigurationOverride.Parse("loss_type=dapo"), ConfigurationOverride.Parse("temperature=0.7")]);
        Assert.That((c.Loss.OffPolicyReshape, c.Loss.LossNormalizer, c.Temperature), Is.EqualTo((PolicyReshape.Sqrt, LossNormalizer.Tokens, 0.7)));
        Assert.That(() => ConfigurationLoader.LoadReplay([ConfigurationOverride.Parse("learning_rate=1")]), Throws.TypeOf<LuffyException>());
        Assert.That(() => ConfigurationLoader.LoadReplay([ConfigurationOverride.Parse("target_entropy=1")]), Throws.TypeOf<LuffyException>().With.Message.Contains("entropy_coef"));
    }
}
