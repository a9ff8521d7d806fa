using Luffy.Engine.Configuration;
using Luffy.Engine.Rl;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Rl;

/// <summary>
/// Objectives of methods, as their recipes have them, by hand on the golden 4 × 4 tokens (<c>GoldenVectorTests</c>): rows of 3, 2, 4 and 4 tokens, of which
/// the last is a demonstration where a method has any.
/// </summary>
[TestFixture]
public sealed class MethodObjectiveTests
{
    private static readonly double[][] Probability = [[.5, .25, .8], [.9, .6], [.3, .3, .3, .3], [.01, .1, .5, .95]];
    private static readonly double[][] Old = [[.5, .2, .8], [.6, .6], [.3, .4, .3, .3], [.02, .1, .4, .95]];
    private static readonly float[] Advantages = [-.5f, .5f, -.5f, .5f];

    [Test]
    public void Cispo_bounds_ratios_and_keeps_every_gradient()
    {
        // Ratios 1, 1.25, 1 | 1.5, 1 | 1, .75, 1, 1 | .5, 1, 1.25, 1 between .8 and 1.2, times −A, over 13 tokens. PPO's clip would take the gradient of
        // the 1.5 and the last row's 1.25 (A > 0), and of the .75 (A < 0).
        double[][] expected = [[.5, .6, .5], [-.6, -.5], [.5, .4, .5, .5], [-.4, -.5, -.6, -.5]];
        TrainingConfiguration config = Load("cispo", "epsilon=0.2", "epsilon_high=0.2");
        TrainingRow[] rows = [.. Enumerable.Range(0, 4).Select(i => Sampled(i, Logs(Old[i])))];
        AssertGradients(config, config.Loss.ToKernelOptions(1, 0), rows, expected, 1.0 / 13);

        // The recipe itself has no bound below 5.
        double[][] unbounded = [[.5, .625, .5], [-.75, -.5], [.5, .375, .5, .5], [-.25, -.5, -.625, -.5]];
        config = Load("cispo");
        AssertGradients(config, config.Loss.ToKernelOptions(1, 0), rows, unbounded, 1.0 / 13);
    }

    [Test]
    public void Gspo_clips_a_sequence_as_a_whole()
    {
        // s = 1.25^(1/3) = 1.0772173, 1.5^(1/2) = 1.2247449, .75^(1/4) = .9306049 and (.5 · 1.25)^(1/4) = .8891397. Between .9 and 1.2 the second is clipped (A > 0),
        // and the last is not, because there A > 0 is below. A token has −A·s/|y| of four rows: .5 · 1.0772173/12, 0, .5 · .9306049/16, −.5 · .8891397/16.
        double[] expected = [.04488406, 0, .02908140, -.02778562];
        TrainingConfiguration config = Load("gspo", "epsilon=0.1", "epsilon_high=0.2");
        TrainingRow[] rows = [.. Enumerable.Range(0, 4).Select(i => Sampled(i, SequenceRatio.OldLogProbs(Logs(Old[i]), Logs(Probability[i]), 0)))];
        double[][] tokens = [.. expected.Select((g, i) => Enumerable.Repeat(g, Probability[i].Length).ToArray())];
        AssertGradients(config, config.Loss.ToKernelOptions(1, 0), rows, tokens, 1);

        // The recipe's bounds are narrower than any of these ratios: the first is above with A < 0 and keeps its gradient, the third is below with A < 0 and
        // loses it.
        config = Load("gspo");
        tokens[2] = [0, 0, 0, 0];
        AssertGradients(config, config.Loss.ToKernelOptions(1, 0), rows, tokens, 1);
    }

    [Test]
    public void Gspo_counts_sampled_tokens_alone()
    {
        // Two given tokens, of which the first has no old log-prob, and two sampled ones with ln ratios .3 and −.1: mean .1.
        float[] old = SequenceRatio.OldLogProbs([float.NaN, -9, -1.3f, -.9f], [-2, -2, -1, -1], 2);
        Assert.That(old[..2], Is.EqualTo(new[] { float.NaN, -9 }));
        Assert.That(old[2..], Is.EqualTo(new[] { -1.1f, -1.1f }).Within(1e-6));
    }

    [Test]
    public void Rl_plus_weighs_demonstrations_by_a_mixture_and_by_what_is_left_to_learn()
    {
        // −A · 2p/(1.5·p_old + .5) · √(1 − p) with A = 1/2: −.01/.53 · √.99, −.1/.65 · √.9, −.5/1.1 · √.5, −.95/1.925 · √.05.
        double[] expected = [-.0187733, -.1459515, -.3214122, -.1103514];
        TrainingConfiguration config = Load("rl-plus");
        TrainingRow demonstration = Sampled(3, Logs(Old[3])) with { OffPolicyTokens = 4 };
        AssertGradients(config, config.Loss.ToKernelOptions(1, 0), [demonstration], [expected], 1.0 / 128, probabilities: [Probability[3]]);

        // Before a step's first update p_old is p: −.01/.515 · √.99, −.1/.65 · √.9, −.5/1.25 · √.5, −.95/1.925 · √.05.
        double[] first = [-.0193201, -.1459515, -.2828427, -.1103514];
        AssertGradients(config, config.Loss.ToKernelOptions(1, 0), [demonstration with { OldLogProbs = null }], [first], 1.0 / 128, probabilities: [Probability[3]]);
    }

    [Test]
    public void Trust_region_sft_damps_what_is_improbable()
    {
        // Of 13 tokens one has p = .01 < α = .1 and a tenth of the gradient. Loss: −(.1 + 12 + Σ ln(p/.1) of the others)/13.
        double[][] expected = [[-1, -1, -1], [-1, -1], [-1, -1, -1, -1], [-.1, -1, -1, -1]];
        double loss = AssertImitation("trsft", expected);
        double others = Math.Log(5 * 2.5 * 8 * 9 * 6 * 3 * 3 * 3 * 3 * 1 * 5 * 9.5);
        Assert.That(loss, Is.EqualTo(-(12.1 + others) / 13).Within(1e-6));
    }

    [Test]
    public void Dft_has_the_gradient_of_the_probability_itself()
    {
        // d/d ln p of −sg(p) · ln p is −p, and so is that of −p: Σ p = 1.55 + 1.5 + 1.2 + 1.56 = 5.81 of 13 tokens.
        double loss = AssertImitation("dft", [.. Probability.Select(row => row.Select(p => -p).ToArray())]);
        Assert.That(loss, Is.EqualTo(-5.81 / 13).Within(1e-6));
    }

    [Test]
    public void Chord_and_exgrpo_shape_what_they_learn_from()
    {
        // CHORD-φ, −A·p(1 − p) with A = 1/2: −.5 · (.0099, .09, .25, .0475).
        LossOptions chord = new() { OffPolicyReshape = PolicyReshape.POneMinusP };
        TrainingConfiguration config = Load("luffy");
        TrainingRow row = Sampled(3, null) with { OffPolicyTokens = 4 };
        AssertGradients(config, chord.ToKernelOptions(1, 0), [row], [[-.00495, -.045, -.125, -.02375]], 1.0 / 128, probabilities: [Probability[3]]);

        // ExGRPO, −A·βx/(x + β)² with β = .1 and x = p/q = .5, 1, 1.25, 1: −.5 · (.05/.36, .1/1.21, .125/1.8225, .1/1.21).
        LossOptions exgrpo = new() { BehaviorReshape = PolicyReshape.PDivPGamma };
        AssertGradients(config, exgrpo.ToKernelOptions(1, 0), [row with { BehaviorLogProbs = Logs(Old[3]) }], [[-.0694444, -.0413223, -.0342936, -.0413223]], 1.0 / 128,
            probabilities: [Probability[3]], within: 1e-5);
    }

    private static double AssertImitation(string recipe, double[][] expected)
    {
        TrainingConfiguration config = Load(recipe);
        TrainingRow[] rows = [.. Enumerable.Range(0, 4).Select(i => Sampled(i, null) with { OffPolicyTokens = Probability[i].Length, Advantage = 1, Imitated = true })];
        return AssertGradients(config, config.Loss.ToImitationOptions(), rows, expected, 1.0 / 13);
    }

    // Gradients by ln p after the row's weight are `expected` times `weight`; the summed loss comes back.
    private static double AssertGradients(TrainingConfiguration config, PolicyLossOptions options, TrainingRow[] rows, double[][] expected, double weight,
        LossNormalizer? normalizer = null, double[][]? probabilities = null, double within = 1e-6)
    {
        probabilities ??= Probability;
        float[] weights = LossWeights.Of(rows, normalizer ?? config.Loss.LossNormalizer, 128);
        double loss = 0;
        for (int r = 0; r < rows.Length; r++)
        {
            for (int t = 0; t < rows[r].ResponseLength; t++)
            {
                TokenObjective token = PolicyObjective.Evaluate(Math.Log(probabilities[r][t]), rows[r].OldLogProbs?[t] ?? double.NaN, rows[r].Advantage,
                    t < rows[r].OffPolicyTokens, rows[r].BehaviorLogProbs?[t] ?? double.NaN, options);
                loss += weights[r] * token.Loss;
                Assert.That(weights[r] * token.Gradient, Is.EqualTo(expected[r][t] * weight).Within(within * weight), $"row {r}, token {t}");
            }
        }

        return loss;
    }

    private static TrainingConfiguration Load(string recipe, params string[] settings) =>
        ConfigurationLoader.LoadTraining(recipe, [.. settings.Select(ConfigurationOverride.Parse)]);

    private static TrainingRow Sampled(int row, float[]? old) =>
        new() { Ids = new int[1 + Probability[row].Length], PromptLength = 1, Advantage = Advantages[row], OldLogProbs = old };

    private static float[] Logs(double[] probabilities) => [.. probabilities.Select(p => (float)Math.Log(p))];
}
