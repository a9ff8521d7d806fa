using Luffy.Engine.Configuration;
using Luffy.Engine.Rl;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Rl;

/// <summary>TRAPO by hand: which round is given how much of the demonstration, and the gradient of what is given.</summary>
[TestFixture]
public sealed class MicroGroupTests
{
    // Rounds of 4, 2, 1 and 1 rows, as published, and a demonstration of 9 tokens: a quarter is 2 of them, half 4, and then all.
    // Correct rows before each round, and what it is given: below 2 of 4, below 4 of 6, below 7 of 7.
    [TestCase(0, 0, 0)]
    [TestCase(1, 1, 2)]
    [TestCase(1, 2, 0)]
    [TestCase(2, 3, 4)]
    [TestCase(2, 4, 0)]
    [TestCase(3, 6, 9)]
    [TestCase(3, 7, 0)]
    public void A_round_after_failures_is_given_a_prefix(int round, int correct, int given) =>
        Assert.That(MicroGroupSampling.PrefixLength(new MicroGroupOptions(), round, correct, 9), Is.EqualTo(given));

    [Test]
    public void A_prefix_leaves_a_token_to_the_model_unless_everything_is_given() =>
        Assert.That(new[] { 1, 2, 3 }.Select(round => MicroGroupSampling.PrefixLength(new MicroGroupOptions(), round, 0, 1)), Is.EqualTo(new[] { 0, 0, 1 }));

    [Test]
    public void Tokens_of_a_prefix_are_imitated_within_the_trust_region()
    {
        // Four rows of four tokens: two samples, one that continues two given tokens, and the whole demonstration. Rewards 0 1 0 1 make A = ∓.5; what is
        // given has the advantage 1 and the gradient −min(1, p / .1); every token counts 1/16.
        double[][] probabilities = [[0.5, 0.25, 0.8, 1], [0.9, 0.6, 1, 1], [0.05, 0.5, 0.3, 0.3], [0.01, 0.1, 0.2, 0.9]];
        double[][] gradients =
        [
            [0.03125, 0.03125, 0.03125, 0.03125], [-0.03125, -0.03125, -0.03125, -0.03125],
            [-0.03125, -0.0625, 0.03125, 0.03125], [-0.00625, -0.0625, -0.0625, -0.0625],
        ];
        int[] given = [0, 0, 2, 4];
        TrainingRow[] rows = [.. given.Select((tokens, i) => new TrainingRow
        {
            Ids = new int[5], PromptLength = 1, OffPolicyTokens = tokens, Advantage = i % 2 == 1 ? 0.5f : -0.5f, PrefixAdvantage = tokens > 0 ? 1 : null,
        })];
        float[] weights = LossWeights.Of(rows, LossNormalizer.MaxLength, 4);
        PolicyLossOptions options = new LossOptions { OffPolicyReshape = PolicyReshape.TrustRegion, OffPolicyGamma = 0.1 }.ToKernelOptions(1, 0);
        for (int r = 0; r < 4; r++)
        {
            for (int t = 0; t < 4; t++)
            {
                TokenObjective token = PolicyObjective.Evaluate(Math.Log(probabilities[r][t]), double.NaN, rows[r].AdvantageOf(t), t < given[r], double.NaN, options);
                Assert.That(weights[r] * token.Gradient, Is.EqualTo(gradients[r][t]).Within(1e-7), $"row {r}, token {t}");
            }
        }
    }

    [TestCase("micro_groups=[4, 2, 1]", "num_generations (8)")]
    [TestCase("micro_groups=[4, 4]", "micro_group_prefix_ratios (3)")]
    [TestCase("micro_groups=[4, 2, 1, 1]", "num_demonstrations: 0")]
    [TestCase("micro_groups=[4, 2, 1, 1];num_demonstrations=0;micro_group_prefix_ratios=[0.2, 0, 1]", "larger than 0")]
    [TestCase("micro_groups=[4, 2, 1, 1];method=grpo", "method: luffy")]
    public void Rounds_that_do_not_fit_are_refused(string settings, string named) => Assert.That(
        () => ConfigurationLoader.ParseTraining("", "test", [.. settings.Split(';').Select(ConfigurationOverride.Parse)]), Throws.TypeOf<LuffyException>().With.Message.Contains(named));
}
