using Luffy.Engine.Configuration;
using Luffy.Engine.Rl;

namespace Luffy.Engine.Tests.Rl;

/// <summary>Plans of the recipes for real models, from their config.json alone, and the answers around them.</summary>
public sealed class RunPlanTests
{
    private static RunPlan Plan(string recipe, string architecture, string memory, params string[] settings)
    {
        string[] all = [$"model_name_or_path={Fixtures.PathOf("architectures", architecture)}", "backend=cuda", .. settings];
        TrainingConfiguration config = ConfigurationLoader.LoadTraining(recipe, [.. all.Select(ConfigurationOverride.Parse)]);
        using BackendMemory backend = BackendMemory.Of(config.Model);
        return RunPlan.Create(config, backend, ByteSize.Parse(memory, "--memory"));
    }

    // Parameters in thousands, as the models' cards have them in millions.
    [TestCase("luffy-qwen2.5-math-7b", "qwen2.5-math-7b", 7_615_616)]
    [TestCase("luffy-qwen2.5-math-1.5b", "qwen2.5-math-1.5b", 1_543_714)]
    [TestCase("luffy-qwen2.5-7b-instruct", "qwen2.5-7b-instruct", 7_615_616)]
    [TestCase("luffy-llama-3.1-8b", "llama-3.1-8b", 8_030_261)]
    public void A_recipe_for_a_real_model_fits_a_card_of_80_GB(string recipe, string architecture, long thousands)
    {
        RunPlan plan = Plan(recipe, architecture, "80GB");
        Assert.That(plan.Parameters / 1000, Is.EqualTo(thousands));
        Assert.That(plan.Fits, Is.True, plan.Memory.ToString());
        Assert.That(plan.Changes, Is.Empty);
        // What is left is for what lengths and fragments take that nobody foresees.
        Assert.That(plan.NeededBytes, Is.InRange(35e9, 78e9), plan.Memory.ToString());
        Assert.That(plan.WindowWarning, Is.Null);
        Assert.That(plan.Limits.Select(l => l.Key), Is.EqualTo(new[] { "tokens_per_micro_batch", "rollout_batch_size", "kv_cache_tokens" }));
        Assert.That(plan.Limits.Where(l => l.Largest is null || l.Largest < l.Now), Is.Empty);
    }

    [TestCase("luffy-qwen2.5-math-7b", "qwen2.5-math-7b"), TestCase("luffy-llama-3.1-8b", "llama-3.1-8b")]
    public void The_published_numbers_are_in_every_recipe(string recipe, string architecture)
    {
        TrainingConfiguration c = ConfigurationLoader.LoadTraining(recipe, []);
        Assert.That((c.Rollout.PromptsPerStep, c.Rollout.NumGenerations, c.Guidance.NumDemonstrations, c.Optimizer.MiniBatches, c.Optimizer.MaxSteps), Is.EqualTo((128, 8, 1, 2, 500)));
        Assert.That((c.Rollout.MaxCompletionLength, c.Data.MaxPromptLength, c.Rollout.Temperature, c.Optimizer.LearningRate), Is.EqualTo((8192, 1024, 1.0, 1e-6)));
        Assert.That((c.Loss.OffPolicyReshape, c.Loss.OffPolicyGamma, c.Loss.Clip, c.Loss.EntropyCoef, c.Loss.Beta, c.Reward.ScaleRewards),
            Is.EqualTo((PolicyReshape.PDivPGamma, 0.1, false, 0.001, 0.0, RewardScaling.None)));
        Assert.That((c.Model.RopeTheta, c.Model.MaxPositionEmbeddings), Is.EqualTo(architecture.Contains("math", StringComparison.Ordinal) ? (40000.0, 16384) : ((double?)null, (int?)null)));
        Assert.That(c.Data.ChatTemplate, Does.Contain("<think>\\n"));
    }

    [Test]
    public void What_does_not_fit_is_told_with_what_to_change_and_then_fits()
    {
        RunPlan plan = Plan("luffy-qwen2.5-math-7b", "qwen2.5-math-7b", "80GB", "offload_optimizer=false", "gradient_checkpointing=false");
        Assert.That(plan.Fits, Is.False);
        Assert.That(plan.Limits.Select(l => l.Largest), Is.All.Null);
        Assert.That(plan.Changes, Does.Contain("offload_optimizer=true"));
        Assert.That(Plan("luffy-qwen2.5-math-7b", "qwen2.5-math-7b", "80GB", ["offload_optimizer=false", "gradient_checkpointing=false", .. plan.Changes]).Fits, Is.True);
        Assert.That(Plan("luffy-qwen2.5-math-7b", "qwen2.5-math-7b", "24GB").Changes, Is.Empty, "nothing makes a 7B fit there");
    }

    [Test]
    public void The_largest_settings_fit_and_one_more_does_not()
    {
        RunPlan plan = Plan("luffy-qwen2.5-math-1.5b", "qwen2.5-math-1.5b", "48GB", "rollout_batch_size=16", "kv_cache_tokens=0", "tokens_per_micro_batch=9216");
        foreach (PlannedLimit limit in plan.Limits.Where(l => l.Key != "kv_cache_tokens"))
        {
            Assert.That(At(limit, 0).Fits, Is.True, limit.Key);
            Assert.That(At(limit, 1).Fits, Is.False, limit.Key);
        }

        // Sixteen of the longest, of 9,215 tokens each, is all that sixteen can use.
        Assert.That(plan.Limits[2].Largest, Is.EqualTo(16 * 9215));

        static RunPlan At(PlannedLimit limit, int more) => Plan("luffy-qwen2.5-math-1.5b", "qwen2.5-math-1.5b", "48GB", "rollout_batch_size=16", "kv_cache_tokens=0",
            "tokens_per_micro_batch=9216", $"{limit.Key}={limit.Largest + more}");
    }

    [Test]
    public void A_window_that_is_too_small_is_told() =>
        Assert.That(Plan("luffy-qwen2.5-math-7b", "qwen2.5-math-7b", "80GB", "max_position_embeddings=null").WindowWarning, Does.Contain("9216 tokens, but the model's window is 4096"));

    [TestCase("80GB", 80_000_000_000), TestCase("24 GiB", 25_769_803_776), TestCase("1.5e9", 1_500_000_000), TestCase("512mib", 536_870_912), TestCase("7B", 7)]
    public void Amounts_of_memory(string text, long bytes) => Assert.That(ByteSize.Parse(text, "--memory"), Is.EqualTo(bytes));

    [TestCase(""), TestCase("GB"), TestCase("-1GB"), TestCase("many"), TestCase("1e300"), TestCase("0")]
    public void What_is_no_amount_is_refused(string text) =>
        Assert.That(() => ByteSize.Parse(text, "--memory"), Throws.TypeOf<LuffyException>().With.Message.StartsWith("--memory: found '").And.Property("ExitCode").EqualTo(2));
}
