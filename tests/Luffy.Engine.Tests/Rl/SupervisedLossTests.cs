using Luffy.Engine.Configuration;
using Luffy.Engine.Optim;
using Luffy.Engine.Rl;
using Luffy.Engine.Tests.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Rl;

/// <summary>A supervised loss beside reinforcement learning, by hand on the golden 4 × 4 tokens and on a model.</summary>
[TestFixture]
public sealed class SupervisedLossTests
{
    private static readonly LossOptions Loss = new() { LossNormalizer = LossNormalizer.Tokens };

    [Test]
    public void Both_losses_have_denominators_of_their_own()
    {
        // Samples alone: rewards 0, 1, 0 of mean 1/3, so A = −1/3, 2/3, −1/3, over 3 + 2 + 4 = 9 tokens. Sums of their ratios p / p_old:
        // 1 + 1.25 + 1 = 3.25; 1.5 + 1 = 2.5; 1 + .75 + 1 + 1 = 3.75. L_RL = (3.25/3 − 5/3 + 3.75/3) / 9 = (2/3) / 9 = 2/27.
        // The demonstration's 4 tokens: L_SFT = −ln(.01 · .1 · .5 · .95) / 4 = 7.652195 / 4 = 1.9130488. With c = 1/2 the loss is 2/27 + .9565244.
        RolloutGroup group = GoldenGroup.Make(member: false);
        AdvantageAssignment.Assign([group], new RewardOptions());
        group.Rows[3].ImitationWeight = 0.5;
        (double loss, Dictionary<int, double> gradient) = GoldenGroup.Evaluate(group, Loss);
        Assert.That(group.Rows.Select(r => r.Advantage), Is.EqualTo(new[] { -1 / 3.0, 2 / 3.0, -1 / 3.0, 0 }).Within(1e-12));
        Assert.That(loss, Is.EqualTo((2 / 27.0) + 0.9565244).Within(1e-6));
        // Row 0, token 1: −A · ρ / 9 = 1.25 / 27. Row 1, token 0: −(2/3) · 1.5 / 9 = −1/9. Every demonstration token: −c / 4.
        Assert.That((gradient[1], gradient[10]), Is.EqualTo((1.25 / 27, -1 / 9.0)).Using<double>(Close));
        Assert.That(gradient.Where(g => g.Key >= 30).Select(g => g.Value), Is.All.EqualTo(-0.125).Within(1e-7));
    }

    [Test]
    public void Interpolation_weighs_reinforcement_learning_with_the_rest()
    {
        // (1 − μ) · 2/27 + μ · 1.9130488 with μ = 0.9, and the gradients above times 1 − μ or with −μ / 4.
        RolloutGroup group = GoldenGroup.Make(member: false);
        AdvantageAssignment.Assign([group], new RewardOptions());
        foreach (GroupRow row in group.Rows) row.LossWeight = 1 - 0.9;
        group.Rows[3].ImitationWeight = 0.9;
        (double loss, Dictionary<int, double> gradient) = GoldenGroup.Evaluate(group, Loss);
        Assert.That(loss, Is.EqualTo((0.1 * 2 / 27) + (0.9 * 1.9130488)).Within(1e-6));
        Assert.That((gradient[1], gradient[30]), Is.EqualTo((0.125 / 27, -0.225)).Using<double>(Close));
    }

    [Test]
    public void Chord_imitates_what_the_policy_is_not_sure_of()
    {
        // μ = .1. Rewards 0, 1, 0 have mean 1/3 and deviation √(1/3) = .5773503: A = −.5773493, 1.1546985, −.5773493. Ratios are clipped to [.8, 1.2]: row 0,
        // token 1 keeps 1.25, because A < 0 and the larger loss counts; row 1, token 0 is cut at 1.2, and row 2, token 1 at .8. A token of the demonstration
        // has −μ · p(1 − p) / 4.
        TrainingConfiguration config = ConfigurationLoader.ParseTraining("extends: chord", "test", []);
        RolloutGroup group = GoldenGroup.Make(member: config.Supervised.DemonstrationsAreMembers);
        AdvantageAssignment.Assign([group], config.Reward);
        double weight = config.Supervised.CoefficientAt(5, 100);
        foreach (GroupRow row in group.Rows) row.LossWeight = 1 - weight;
        group.Rows[3].ImitationWeight = weight;
        (_, Dictionary<int, double> gradient) = GoldenGroup.Evaluate(group, config.Loss);
        double[] shaped = [.0099, .09, .25, .0475];
        for (int t = 0; t < 4; t++) Assert.That(gradient[30 + t], Is.EqualTo(-0.1 * shaped[t] / 4).Within(1e-7));
        // Row 0, token 1: .9 · .5773493 · 1.25 / 9. Clipped ones have none.
        Assert.That((gradient[1], gradient[10], gradient[21]), Is.EqualTo((.0721687, 0, 0)).Using<double>(Close));
    }

    [Test]
    public void A_demonstration_can_be_imitated_and_be_a_member()
    {
        // A = −1/2, 1/2, −1/2, 1/2 over 13 tokens; a demonstration's token has −A · .1p / (p + .1)² / 13 (the published gradients), and −c / 4 on top.
        double[] published = [-.0031786395, -.0096153846, -.0053418803, -.0033141462];
        RolloutGroup group = GoldenGroup.Make(member: true);
        AdvantageAssignment.Assign([group], new RewardOptions());
        group.Rows[3].ImitationWeight = 0.5;
        (double loss, Dictionary<int, double> gradient) = GoldenGroup.Evaluate(group, Loss);
        Assert.That(loss, Is.EqualTo(0.083500 + 0.9565244).Within(1e-6));
        for (int t = 0; t < 4; t++) Assert.That(gradient[30 + t], Is.EqualTo(published[t] - 0.125).Within(1e-7));
    }

    [Test]
    public void A_group_whose_samples_are_all_equal_is_still_imitated()
    {
        RolloutGroup group = GoldenGroup.Make(member: false);
        group.Rows[3].ImitationWeight = 1;
        group.Rows.RemoveAt(1);
        AdvantageAssignment.Assign([group], new RewardOptions());
        Assert.That((group.HasSignal, group.HasRewardSpread, group.IsMixed), Is.EqualTo((false, false, false)), "the demonstration's reward is none of the group's");
        UpdateRows rows = UpdateRows.Of([group], maskTruncated: false, referenceLogProbs: null);
        Assert.That(rows.HasGradient, Is.EqualTo(new[] { false, false, true }));
    }

    [Test]
    public void The_weight_rises_then_falls_by_half_a_cosine()
    {
        var options = new SupervisedLossOptions { SftLossCoef = 0.9, SftLossFinalCoef = 0.05, SftLossWarmupSteps = 2, SftLossDecaySteps = 4 };
        // Falling from .9 by .85 · (1 − cos(π s / 4)) / 2: cos = 1, √½, 0, −√½, −1.
        double[] expected = [0, 0.45, 0.9, 0.05 + (0.85 * 0.8535534), 0.475, 0.05 + (0.85 * 0.1464466), 0.05, 0.05];
        Assert.That(Enumerable.Range(0, 8).Select(step => options.CoefficientAt(step, 100)), Is.EqualTo(expected).Within(1e-7));
        Assert.That((options with { SftLossDecaySteps = null }).CoefficientAt(6, 7), Is.EqualTo(0.05).Within(1e-12), "the last step of seven");
        Assert.That((options with { SftLossFinalCoef = null, SftLossDecaySteps = null }).CoefficientAt(50, 100), Is.EqualTo(0.9));
        Assert.That((options with { SftLossDecaySteps = null }).CoefficientAt(3, 100, spent: 0.5), Is.EqualTo(0.475).Within(1e-12), "half of the budget");
        Assert.That(new SupervisedLossOptions().CoefficientAt(3, 7), Is.Zero);
    }

    [TestCase("sft_loss_coef=1", "method=grpo", "num_demonstrations is 0")]
    [TestCase("sft_loss_coef=1", "method=sft", "num_demonstrations is 0")]
    [TestCase("sft_loss_coef=1", "gradient_dtype=bf16", "gradient_dtype: f32")]
    [TestCase("sft_loss_coef=2", "sft_loss_interpolation=true", "must therefore not be larger than 1")]
    [TestCase("sft_loss_coef=1", "sft_loss_decay_steps=3", "sft_loss_final_coef, which is not given")]
    [TestCase("sft_loss_final_coef=1", "seed=1", "sft_loss_final_coef shapes the supervised loss")]
    [TestCase("sft_loss_keep_members=true", "seed=1", "needs sft_loss_coef")]
    [TestCase("sft_reshape=none", "method=luffy", "use off_policy_reshape: none")]
    [TestCase("sft_reshape=rl_plus", "method=sft", "imitation has none")]
    public void Keys_that_contradict_each_other_are_named(string first, string second, string expected) => Assert.That(
        () => ConfigurationLoader.ParseTraining("", "test", [ConfigurationOverride.Parse(first), ConfigurationOverride.Parse(second)]),
        Throws.TypeOf<LuffyException>().With.Message.Contains(expected));

    [TestCaseSource(typeof(TestBackends), nameof(TestBackends.Names))]
    public void Two_objectives_in_one_update_add_up_for_any_micro_batch(string backendName)
    {
        ModelFixture fixture = ModelFixture.All[1];
        TrainingRow[] samples = [.. fixture.Rows.Where(r => !r.IsOffPolicy).Select(r => new TrainingRow { Ids = r.Ids, PromptLength = r.PromptLength, Advantage = r.Advantage, OldLogProbs = r.OldLogprobs })];
        TrainingRow[] imitated = [.. fixture.Rows.Where(r => r.IsOffPolicy).Select(r => new TrainingRow { Ids = r.Ids, PromptLength = r.PromptLength, OffPolicyTokens = r.ResponseLength, Advantage = 1, Imitated = true, Weight = 0.3f })];
        Assert.That(samples, Is.Not.Empty);
        Assert.That(imitated, Is.Not.Empty);
        Dictionary<string, float[]> learned = Gradients(backendName, samples, 256), copied = Gradients(backendName, imitated, 256);
        Dictionary<string, float[]> both = Gradients(backendName, [.. samples, .. imitated], fixture.Rows.Max(r => r.Ids.Length - 1));
        foreach ((string name, float[] values) in both)
        {
            double norm = Math.Sqrt(values.Sum(v => (double)v * v)), distance = 0;
            for (int i = 0; i < values.Length; i++) distance += Math.Pow((double)values[i] - learned[name][i] - copied[name][i], 2);
            Assert.That(Math.Sqrt(distance), Is.LessThanOrEqualTo(1e-5 * norm), name);
        }
    }

    private static Dictionary<string, float[]> Gradients(string backendName, IReadOnlyList<TrainingRow> rows, int tokens)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using TestModel model = TestModel.Load(backend, ModelFixture.All[1], DType.F32, tokens: tokens);
        // No clip, so that the gradients are left as they were summed.
        using var optimizer = new AdamWOptimizer(backend, model.Parameters.Layout, 0.9, 0.999, 1e-8, 0, 0);
        float[] weights = LossWeights.Of(rows, LossNormalizer.Tokens, 16);
        var statistics = new PolicyStatistics();
        new PolicyStep(model.Parameters, model.Updater, optimizer).Run(rows, weights, PolicyObjectives.Of(new LossOptions(), 1, 0.01), 1e-3, statistics);
        Assert.That(statistics.Imitated.Tokens, Is.EqualTo(rows.Where(r => r.Imitated).Sum(r => r.ResponseLength)));
        Assert.That(statistics.OnPolicy.Tokens, Is.EqualTo(rows.Where(r => !r.Imitated).Sum(r => r.ResponseLength)));
        return model.Gradients();
    }

    private static bool Close(double a, double b) => Math.Abs(a - b) < 1e-7;
}
