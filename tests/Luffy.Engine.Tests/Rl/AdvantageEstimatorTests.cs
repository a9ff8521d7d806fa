using Luffy.Engine.Configuration;
using Luffy.Engine.Data;
using Luffy.Engine.Rewards;
using Luffy.Engine.Rl;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Rl;

/// <summary>
/// Advantages by hand on the golden 4 × 4 tokens (<c>GoldenVectorTests</c>): rows of 3, 2, 4 and 4 tokens, the last the demonstration.
/// </summary>
[TestFixture]
public sealed class AdvantageEstimatorTests
{
    private static readonly int[] Lengths = [3, 2, 4, 4];

    [Test]
    public void Rloo_compares_with_the_other_rows()
    {
        // Others of a row with reward 0: (1 + 0 + 1)/3 = 2/3. Of one with reward 1: (0 + 0 + 1)/3 = 1/3.
        RolloutGroup group = Group([0, 1, 0, 1]);
        Assign(AdvantageEstimator.Rloo, AdvantageBaseline.Group, group);
        AssertAdvantages(group, [-2.0 / 3, 2.0 / 3, -2.0 / 3, 2.0 / 3]);

        // Sampled rows alone: others of row 0 are 1 and 0, of row 1 are 0 and 0; the demonstration against (0 + 1 + 0)/3.
        Assign(AdvantageEstimator.Rloo, AdvantageBaseline.OnPolicy, group);
        AssertAdvantages(group, [-0.5, 1, -0.5, 2.0 / 3]);
    }

    [Test]
    public void Rloo_is_grpo_times_n_over_n_minus_1_down_to_the_gradient()
    {
        // The published gradients of the demonstration belong to A = 1/2; RLOO's A = 2/3 makes them 4/3 as large.
        double[] published = [-.0103305785, -.03125, -.0173611111, -.0107709751], probability = [.01, .1, .5, .95];
        RolloutGroup group = Group([0, 1, 0, 1]);
        Assign(AdvantageEstimator.Rloo, AdvantageBaseline.Group, group);
        PolicyLossOptions options = new LossOptions().ToKernelOptions(1, 0);
        for (int t = 0; t < 4; t++)
        {
            TokenObjective token = PolicyObjective.Evaluate(Math.Log(probability[t]), double.NaN, group.Rows[3].Advantage, true, double.NaN, options);
            Assert.That(token.Gradient / 4, Is.EqualTo(published[t] * 4 / 3).Within(1e-9));
        }
    }

    [Test, Combinatorial]
    public void Equal_rewards_of_a_group_give_exactly_zero(
        [Values(AdvantageEstimator.Grpo, AdvantageEstimator.Rloo)] AdvantageEstimator estimator, [Values] AdvantageBaseline baseline)
    {
        // 0.1 has no exact binary form: summing three of them and dividing by three gives another number.
        RolloutGroup group = Group([0.1, 0.1, 0.1, 0.1]);
        Assign(estimator, baseline, group);
        Assert.That((group.HasSignal, group.HasRewardSpread), Is.EqualTo((false, false)));
    }

    [Test]
    public void Reinforce_plus_plus_normalises_rewards_over_tokens()
    {
        // Of 13 tokens 2 + 4 have reward 1: mean 6/13. Squares 6·(7/13)² + 7·(6/13)² = 42/13, by 12: variance 7/26.
        RolloutGroup group = Group([0, 1, 0, 1]);
        Assign(AdvantageEstimator.ReinforcePlusPlus, AdvantageBaseline.Group, group);
        double deviation = Math.Sqrt(7.0 / 26) + 1e-6;
        AssertAdvantages(group, [-6 / 13.0 / deviation, 7 / 13.0 / deviation, -6 / 13.0 / deviation, 7 / 13.0 / deviation]);
    }

    [Test]
    public void Reinforce_plus_plus_with_baseline_normalises_what_the_groups_mean_leaves()
    {
        // Rewards 0, 1 and 1, 1 of tokens 3, 2 and 4, 4. Without the groups' means: −1/2, 1/2, 0, 0. Their mean over 13 tokens: (−3/2 + 1)/13 = −1/26.
        // Squares 3/4 + 2/4 − 13·(1/26)² = 16/13, by 12: variance 4/39.
        RolloutGroup mixed = Group([0, 1], 0), solved = Group([1, 1], 2);
        Assign(AdvantageEstimator.ReinforcePlusPlusBaseline, AdvantageBaseline.Group, mixed, solved);
        double deviation = Math.Sqrt(4.0 / 39) + 1e-6;
        AssertAdvantages(mixed, [-12 / 26.0 / deviation, 14 / 26.0 / deviation]);
        AssertAdvantages(solved, [1 / 26.0 / deviation, 1 / 26.0 / deviation]);
        Assert.That((solved.HasSignal, solved.HasRewardSpread), Is.EqualTo((true, false)));
    }

    [Test]
    public void Reinforce_plus_plus_with_baseline_stays_bounded_where_every_sample_fails()
    {
        // Measured from the samples' mean 0, the demonstration has 1: mean 4/13, squares 4·(9/13)² + 9·(4/13)² = 36/13, by 12: variance 3/13.
        RolloutGroup group = Group([0, 0, 0, 1]);
        Assign(AdvantageEstimator.ReinforcePlusPlusBaseline, AdvantageBaseline.OnPolicy, group);
        double deviation = Math.Sqrt(3.0 / 13) + 1e-6, wrong = -4 / 13.0 / deviation;
        AssertAdvantages(group, [wrong, wrong, wrong, 9 / 13.0 / deviation]);
    }

    [TestCase(AdvantageEstimator.ReinforcePlusPlus)]
    [TestCase(AdvantageEstimator.ReinforcePlusPlusBaseline)]
    public void A_batch_of_equal_rewards_gives_exactly_zero(AdvantageEstimator estimator)
    {
        RolloutGroup first = Group([0.1, 0.1], 0), second = Group([0.1, 0.1], 2);
        Assign(estimator, AdvantageBaseline.Group, first, second);
        Assert.That((first.HasSignal, second.HasSignal), Is.EqualTo((false, false)));
    }

    [Test]
    public void Grpo_is_what_it_was()
    {
        RolloutGroup group = Group([0, 1, 0, 1]);
        Assign(AdvantageEstimator.Grpo, AdvantageBaseline.Group, group);
        AssertAdvantages(group, [-0.5, 0.5, -0.5, 0.5]);
        // Four rewards of mean 1/2: squares 1, by 3.
        AdvantageAssignment.Assign([group], new RewardOptions { ScaleRewards = RewardScaling.Batch });
        double deviation = Math.Sqrt(1.0 / 3) + 1e-6;
        AssertAdvantages(group, [-0.5 / deviation, 0.5 / deviation, -0.5 / deviation, 0.5 / deviation]);
    }

    [Test]
    public void The_switch_leaves_a_group_with_a_demonstration_to_imitation()
    {
        // Two of the three samples are right, and the gate let the demonstration in all the same.
        RolloutGroup gated = Group([1, 0, 1, 1]), other = Group([1, 0]);
        Assign(AdvantageEstimator.Grpo, AdvantageBaseline.Group, gated, other);
        AdvantageAssignment.SwitchToImitation([gated, other]);
        AssertAdvantages(gated, [0, 0, 0, 1]);
        AssertAdvantages(other, [0.5, -0.5]);
        Assert.That(gated.Rows.Concat(other.Rows).Select(r => r.LeftOut), Is.EqualTo(new[] { true, true, true, false, false, false }));

        // The demonstration's tokens have .01, .1, .5 and .95: their loss is −ln(.01 · .1 · .5 · .95) = −ln .000475 = 7.652195, each with gradient −1.
        PolicyLossOptions options = new LossOptions { OffPolicyReshape = PolicyReshape.Logp }.ToKernelOptions(1, 0);
        TokenObjective[] tokens =
            [.. new[] { .01, .1, .5, .95 }.Select(p => PolicyObjective.Evaluate(Math.Log(p), double.NaN, gated.Rows[3].Advantage, true, double.NaN, options))];
        Assert.That(tokens.Sum(t => t.Loss), Is.EqualTo(7.652195).Within(1e-6));
        Assert.That(tokens.Select(t => t.Gradient), Is.All.EqualTo(-1));
    }

    private static void Assign(AdvantageEstimator estimator, AdvantageBaseline baseline, params RolloutGroup[] groups) =>
        AdvantageAssignment.Assign(groups, new RewardOptions { AdvantageEstimator = estimator, AdvantageBaseline = baseline });

    // Rows from a place of the golden batch on; its last is the demonstration.
    private static RolloutGroup Group(double[] rewards, int first = 0)
    {
        var example = new PromptExample { Id = "p", Source = "s", Messages = [], Answer = "1" };
        var prompt = new TokenizedPrompt { Example = example, PromptIds = [0], Demonstrations = [] };
        return new RolloutGroup(prompt, [.. rewards.Select((reward, i) => new GroupRow
        {
            Ids = new int[1 + Lengths[first + i]],
            PromptLength = 1,
            OffPolicyTokens = first + i == 3 ? Lengths[3] : 0,
            Text = "",
            Result = new RewardResult(reward, null),
            IsCorrect = reward > 0,
        })]);
    }

    private static void AssertAdvantages(RolloutGroup group, double[] expected)
    {
        for (int i = 0; i < expected.Length; i++) Assert.That(group.Rows[i].Advantage, Is.EqualTo(expected[i]).Within(1e-12), $"row {i}");
    }
}
