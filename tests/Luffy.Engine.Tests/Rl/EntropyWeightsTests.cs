using Luffy.Engine.Configuration;
using Luffy.Engine.Rl;
using Luffy.Engine.Rollout;

namespace Luffy.Engine.Tests.Rl;

/// <summary>SRFT and Prefix-RFT by hand on the golden 4 × 4 tokens.</summary>
[TestFixture]
public sealed class EntropyWeightsTests
{
    // Entropies of the tokens by their ids, 10 · row + place.
    private static readonly float[][] Entropy = [[.1f, .2f, .3f], [.4f, .5f], [1.4f, .9f, .2f, 1.1f], [.5f, .3f, .2f, 1f]];

    [Test]
    public void Srft_weighs_imitation_down_and_right_samples_up_with_entropy()
    {
        // Means: .5 over the demonstration's four tokens, and (.6 + .9 + 3.6) / 9 = 5.1 / 9 over the samples' nine.
        // w_SFT = ½ e^−.5 = .3032653; w_RL = .1 · e^(.5666667) = .1762383.
        // Rewards 0, 1, 0, 1 have mean ½ and deviation √(1/3) = .5773503: the demonstration's A is .5 / .5773513 = .8660239; samples have −1, 1, −1.
        TrainingConfiguration config = Load("srft");
        RolloutGroup group = GoldenGroup.Make(member: true);
        AdvantageAssignment.Assign([group], config.Reward);
        Assert.That(group.Rows.Select(r => r.Advantage), Is.EqualTo(new[] { -1, 1, -1, .8660239 }).Within(1e-7));
        group.Rows[3].ImitationWeight = 0.5;
        EntropyWeights.Apply([group], config, Scored);
        Assert.That((group.Rows[3].ImitationWeight, group.Rows[1].LossWeight), Is.EqualTo((.3032653, .1762383)).Using<double>(Close));
        Assert.That((group.Rows[0].LossWeight, group.Rows[2].LossWeight, group.Rows[3].LossWeight), Is.EqualTo((1, 1, 1)));

        // Over 13 tokens: wrong samples Σ ρ = 3.25 + 3.75 = 7; the right one −.1762383 · 2.5 = −.4405958; the demonstration −.8660239 · Σp = −.8660239 · 1.56
        // = −1.3509973. And .3032653 · 7.6521958 / 4 = .5801615. Loss: (7 − .4405958 − 1.3509973) / 13 + .5801615 = .9808082.
        (double loss, Dictionary<int, double> gradient) = GoldenGroup.Evaluate(group, config.Loss);
        Assert.That(loss, Is.EqualTo(.9808082).Within(1e-6));
        // Wrong: ρ / 13 = 1.25 / 13. Right: −.1762383 · 1.5 / 13. Demonstration, p = .5: −.8660239 · .5 / 13 − .3032653 / 4.
        Assert.That((gradient[1], gradient[10], gradient[32]), Is.EqualTo((.0961538, -.0203352, -.1091249)).Using<double>(Close));
    }

    [Test]
    public void Prefix_rft_learns_from_the_tokens_of_a_prefix_that_have_the_largest_entropy()
    {
        // Row 2 continues a prefix of three tokens with entropies 1.4, .9 and .2; of three tokens a share of .5 keeps two. Its last token was sampled.
        TrainingConfiguration config = Load("prefix-rft", "prefix_top_entropy=0.5");
        RolloutGroup group = GoldenGroup.Make(member: true, given: 3);
        group.Rows.RemoveAt(3);
        AdvantageAssignment.Assign([group], config.Reward);
        EntropyWeights.Apply([group], config, Scored);
        Assert.That(group.Rows[2].TokenWeights, Is.EqualTo(new float[] { 1, 1, 0, 1 }));
        Assert.That(group.Rows[0].TokenWeights, Is.Null);
        // A = −1/3, 2/3, −1/3, by the constant 4 times 3 rows. A prefix's token has −A · 1, a sampled one −A · ρ: 1/3 / 12 = 1/36 each in row 2.
        (_, Dictionary<int, double> gradient) = GoldenGroup.Evaluate(group, config.Loss);
        Assert.That(new[] { gradient[20], gradient[21], gradient[22], gradient[23] }, Is.EqualTo(new[] { 1 / 36.0, 1 / 36.0, 0, 1 / 36.0 }).Within(1e-7));
    }

    [TestCase(0.2, 1), TestCase(0.7, 3), TestCase(0.75, 3), TestCase(1.0, 4)]
    public void A_share_keeps_at_least_that_many_tokens(double share, int kept)
    {
        TrainingConfiguration config = Load("prefix-rft", $"prefix_top_entropy={share}");
        RolloutGroup group = GoldenGroup.Make(member: true, given: 2), other = GoldenGroup.Make(member: true, given: 2);
        EntropyWeights.Apply([group, other], config, Scored);
        Assert.That(group.Rows[2].TokenWeights!.Concat(other.Rows[2].TokenWeights!).Count(w => w == 1), Is.EqualTo(kept + 4), "four were sampled");
    }

    [Test]
    public void Without_weights_by_entropy_nothing_is_scored()
    {
        RolloutGroup group = GoldenGroup.Make(member: true, given: 2);
        Assert.That(() => EntropyWeights.Apply([group], Load("luffy"), _ => throw new InvalidOperationException()), Throws.Nothing);
    }

    [Test]
    public void Uniform_numbers_differ_by_row_prompt_and_step_and_have_the_mean_of_a_uniform_distribution()
    {
        double[] numbers = [.. from step in Enumerable.Range(0, 20) from prompt in Enumerable.Range(0, 20) from row in Enumerable.Range(0, 10) select PromptKey.Uniform(PromptKey.StepSeed(7, step), prompt, row)];
        Assert.That(numbers, Is.Unique);
        Assert.That(numbers, Is.All.InRange(0, 1));
        // The mean of 4,000 has a deviation of √(1/12 / 4000) = 0.0046.
        Assert.That(numbers.Average(), Is.EqualTo(0.5).Within(0.015));
    }

    [TestCase("prefix_top_entropy=0.2", "prefix_strategy none")]
    [TestCase("prefix_uniform=true", "prefix_strategy none")]
    [TestCase("sft_loss_entropy_weight=true", "needs sft_loss_coef")]
    [TestCase("advantage_estimator=sign scale_rewards=batch", "are 1 and −1")]
    [TestCase("sft_loss_coef=0.5 sft_loss_entropy_weight=true sft_loss_interpolation=true", "choose one of them")]
    public void Keys_that_mean_nothing_are_refused(string settings, string expected) => Assert.That(
        () => ConfigurationLoader.ParseTraining("", "test", [.. settings.Split(' ').Select(ConfigurationOverride.Parse)]), Throws.TypeOf<LuffyException>().With.Message.Contains(expected));

    private static TrainingConfiguration Load(string recipe, params string[] settings) => ConfigurationLoader.ParseTraining($"extends: {recipe}", "test",
        [.. settings.Append("max_completion_length=4").Append("max_prompt_length=8").Select(ConfigurationOverride.Parse)]);

    private static float[][] Scored(IReadOnlyList<TrainingRow> rows) => [.. rows.Select(r => Entropy[r.Ids[1] / 10])];

    private static bool Close(double a, double b) => Math.Abs(a - b) < 1e-6;
}
