using Luffy.Engine.Comparison;
using Luffy.Engine.Configuration;

namespace Luffy.Engine.Tests.Comparison;

public sealed class ComparisonPlanTests
{
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("luffy-plan-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    private string File(string name, string yaml)
    {
        string path = Path.Combine(_folder, name);
        System.IO.File.WriteAllText(path, yaml);
        return path;
    }

    private ComparisonPlan Load(string yaml, string? methods = null, params string[] set) =>
        ComparisonPlan.Load(File("c.yaml", yaml), methods?.Split(','), [.. set.Select(ConfigurationOverride.Parse)]);

    [TestCase("compare")]
    [TestCase("compare-quick")]
    public void The_built_in_comparisons_load(string name)
    {
        ComparisonPlan plan = ComparisonPlan.Load(name, null, []);
        Assert.That(plan.Methods, Is.SupersetOf(new[] { "sft", "sft-then-rl", "luffy" }).And.SupersetOf(plan.Options.Baselines));
        foreach (string method in plan.Methods)
            Assert.That(plan.Configure(method, 1, null).Optimizer.MaxRolloutTokens, method == "sft" ? Is.Null : Is.Positive, method);
    }

    [Test]
    public void A_method_lies_on_what_all_share_and_its_overrides_and_what_is_set_on_top()
    {
        ComparisonPlan plan = Load("methods: [grpo, luffy-longer]\ntrain: {max_steps: 7, prompts_per_step: 3, max_rollout_tokens: 900, columns: {prompt: q}}\noverrides:\n  grpo: {prompts_per_step: 4, temperature: 0.5}",
            null, "temperature=0.7", "train.top_p=0.9");
        TrainingConfiguration grpo = plan.Configure("grpo", 5, 2e-4), longer = plan.Configure("luffy-longer", 6, null);
        Assert.That((grpo.Method, grpo.Seed, grpo.Optimizer.LearningRate, grpo.Optimizer.MaxSteps), Is.EqualTo((TrainingMethod.Grpo, 5L, 2e-4, 7)));
        Assert.That((grpo.Rollout.PromptsPerStep, grpo.Rollout.Temperature, grpo.Rollout.TopP, grpo.Data.Columns.Prompt), Is.EqualTo((4, 0.7, 0.9, "q")));
        Assert.That(grpo.Reward.ScaleRewards, Is.EqualTo(RewardScaling.Group), "the method's own key");
        // luffy-longer extends luffy, which extends the quickstart: the first two are its own, and of the quickstart nothing is.
        Assert.That((longer.Method, longer.Optimizer.MaxSteps, longer.Rollout.PromptsPerStep, longer.Optimizer.WarmupSteps), Is.EqualTo((TrainingMethod.Luffy, 200, 3, 0)));
        Assert.That((grpo.Evaluation.EvalOnStart, grpo.Evaluation.EvalAfter), Is.EqualTo((false, new[] { EvaluationSplit.Validation, EvaluationSplit.Test })));
    }

    [Test]
    public void Choosing_a_learning_rate_never_looks_at_the_test_split()
    {
        ComparisonPlan plan = Load("methods: [sft, grpo]\nlearning_rates: [1e-5, 1e-4]\ntrain: {max_rollout_tokens: 900}\ntuning: {max_steps: 9}");
        TrainingConfiguration tuning = plan.ConfigureTuning("grpo", 1e-5);
        Assert.That(tuning.Evaluation.EvalAfter, Is.EqualTo(new[] { EvaluationSplit.Validation }));
        Assert.That((tuning.Seed, tuning.Optimizer.MaxSteps, tuning.Evaluation.EvalOnStart), Is.EqualTo((1001L, 9, false)));
        Assert.That(plan.Configure("grpo", 1, 1e-5).Optimizer.MaxSteps, Is.EqualTo(500));
        Assert.That(plan.Configure("sft", 1, 1e-5).Optimizer.MaxRolloutTokens, Is.Null);
    }

    [Test]
    public void The_model_before_training_is_measured_by_a_step_that_changes_nothing()
    {
        TrainingConfiguration c = Load("methods: [luffy]\ntrain: {lr_scheduler_type: cosine, warmup_steps: 5, max_rollout_tokens: 100}").ConfigureBase(1);
        Assert.That((c.Optimizer.LearningRate, c.Optimizer.MaxSteps, c.Method), Is.EqualTo((0.0, 1, TrainingMethod.Grpo)));
    }

    [Test]
    public void Seeds_and_methods_are_those_asked_for()
    {
        File("mine.yaml", "extends: luffy\noff_policy_gamma: 0.3");
        ComparisonPlan plan = Load("methods: [grpo, mine.yaml]\nseeds: 2\nfirst_seed: 10\nmethod_seeds: {mine: 4}\nbaselines: [mine]");
        Assert.That(plan.Methods, Is.EqualTo(new[] { "grpo", "mine" }));
        Assert.That((plan.SeedsOf("grpo"), plan.SeedsOf("mine")), Is.EqualTo((new long[] { 10, 11 }, new long[] { 10, 11, 12, 13 })));
        Assert.That(plan.Configure("mine", 10, null).Loss.OffPolicyGamma, Is.EqualTo(0.3));
        // Fewer methods keep the file's other keys; a baseline that is not among them is none.
        ComparisonPlan fewer = Load("methods: [grpo, luffy]\nbaselines: [luffy]\noverrides: {luffy: {top_p: 0.9}}", "grpo,sft", "seeds=7");
        Assert.That((fewer.Options.Baselines.Count, fewer.SeedsOf("sft").Count), Is.EqualTo((0, 7)));
    }

    [TestCase("methods: []", "methods is empty")]
    [TestCase("methods: [lufy]", "did you mean 'luffy'?")]
    [TestCase("methods: [luffy, luffy]", "is there 2 times")]
    [TestCase("methods: [base.yaml]", "before training")]
    [TestCase("methods: [none.yaml]", "does not exist")]
    [TestCase("methods: [luffy]\nbaselines: [grpo]", "expected one of the methods luffy")]
    [TestCase("methods: [luffy]\nseed: 3", "unknown key 'seed'")]
    [TestCase("methods: [luffy]\nmethod: grpo", "unknown key 'method'")]
    [TestCase("methods: [luffy]\ntrain: {seed: 3}", "first_seed")]
    [TestCase("methods: [luffy]\ntrain: {output_dir: x}", "decided by the comparison")]
    [TestCase("methods: [luffy]\ntrain: {learning_rat: 1}", "c.yaml:2: unknown key 'learning_rat'; did you mean 'learning_rate'?")]
    [TestCase("methods: [luffy]\noverrides: {grp: {top_p: 1}}", "there is no method 'grp'")]
    [TestCase("methods: [luffy]\noverrides: {luffy: 3}", "expected a map of keys")]
    [TestCase("methods: [luffy]\nmethod_seeds: {luffy: 0}", "from 1 to 1000")]
    [TestCase("methods: [luffy]\nlearning_rates: []", "learning_rates")]
    [TestCase("methods: [luffy]\nlearning_rates: [1e-5]\ntuning_seed: 2", "one of the reported seeds")]
    [TestCase("methods: [luffy]\ntuning: {max_steps: 3}", "there are no learning_rates")]
    [TestCase("methods: [luffy]\nablations: {gamma: {method: grpo, key: off_policy_gamma, values: [1]}}", "expected one of the methods luffy")]
    [TestCase("methods: [luffy]\nablations: {gamma: {method: luffy, key: off_policy_gama, values: [1]}}", "did you mean 'off_policy_gamma'?")]
    [TestCase("methods: [luffy]\nablations: {gamma: {method: luffy, key: off_policy_gamma, values: [-1]}}", "0 < off_policy_gamma")]
    [TestCase("methods: [luffy]\nablations: {gamma: {method: luffy, values: [1]}}", "expected a key")]
    [TestCase("methods: [luffy]\npass_at_k: {methods: [grpo]}", "expected some of luffy")]
    [TestCase("methods: [luffy]\npass_at_k: {temperatures: [0]}", "above 0")]
    [TestCase("methods: [luffy]\nmeasure: best", "one of greedy, average")]
    [TestCase("methods: [luffy]\ntrain: {num_generations: 1}", "num_demonstrations")]
    public void What_is_wrong_is_named(string yaml, string said)
    {
        LuffyException e = Assert.Throws<LuffyException>(() => Load(yaml))!;
        Assert.That((e.Message, e.ExitCode), Is.EqualTo((e.Message, 2)));
        Assert.That(e.Message, Does.Contain(said));
    }
}
