namespace Luffy.Kernels.Tests;

/// <summary>
/// The objective on the 4 × 4 tokens whose figures were produced by running the loss function of the paper's authors
/// (ElliottYan/LUFFY at 01f4ae0). Row 3 is the demonstration.
/// </summary>
public class GoldenVectorTests
{
    private static readonly double[,] Probability = { { .5, .25, .8, 1 }, { .9, .6, 1, 1 }, { .3, .3, .3, .3 }, { .01, .1, .5, .95 } };
    private static readonly double[,] Old = { { .5, .20, .8, 1 }, { .6, .6, 1, 1 }, { .3, .4, .3, .3 }, { .02, .1, .4, .95 } };
    private static readonly int[,] Mask = { { 1, 1, 1, 0 }, { 1, 1, 0, 0 }, { 1, 1, 1, 1 }, { 1, 1, 1, 1 } };
    private static readonly double[] Advantage = [-.5, .5, -.5, .5];

    public static IEnumerable<TestCaseData> Rows()
    {
        PolicyLossOptions luffy = new() { OffPolicyShaping = PolicyShaping.Regularized, OffPolicyGamma = .1f };
        double[] shaped = [-.0103305785, -.03125, -.0173611111, -.0107709751];
        yield return Row("gamma .1, no clip", luffy, 4, .271374, .25, -.291126, .582251, shaped);
        yield return Row("gamma .1, clip .2", luffy with { Clip = true, Epsilon = .2f, EpsilonHigh = .2f }, 4, .315124, .269444, -.291126, .582251, shaped);
        yield return Row("no shaping", luffy with { OffPolicyShaping = PolicyShaping.None }, 4, .367500, .25, -.195, .39,
            [-.00125, -.0125, -.0625, -.11875]);
        yield return Row("gamma .1, token mean", luffy, 13, .083500, .25, -.291126, .582251, [-.0031786395, -.0096153846, -.0053418803, -.0033141462]);
        yield return Row("gamma .3", luffy with { OffPolicyGamma = .3f }, 4, .354093, .25, -.208407, .416815,
            [-.0039021852, -.0234375, -.029296875, -.0228]);
        yield return Row("square root", luffy with { OffPolicyShaping = PolicyShaping.SquareRoot }, 4, .300248, .25, -.262252, .524503,
            [-.00625, -.0197642354, -.0441941738, -.0609174647]);

        static TestCaseData Row(string name, PolicyLossOptions options, double denominator, double loss, double on, double off, double weight,
            double[] gradient) => new TestCaseData(options, denominator, loss, on, off, weight, gradient).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Rows))]
    public void Objective_reproduces_the_authors_figures(PolicyLossOptions options, double denominator, double loss, double onLoss, double offLoss,
        double offWeight, double[] demonstrationGradient)
    {
        double total = 0, onTotal = 0, offTotal = 0, weightTotal = 0, kl = 0;
        int onCount = 0, offCount = 0;
        double[] gradient = new double[4], firstRow = new double[4];
        for (int row = 0; row < 4; row++)
        {
            for (int t = 0; t < 4; t++)
            {
                if (Mask[row, t] == 0) continue;
                bool off = row == 3;
                TokenObjective term = PolicyObjective.Evaluate(Math.Log(Probability[row, t]), Math.Log(Old[row, t]), Advantage[row], off,
                    double.NaN, options);
                total += term.Loss / denominator;
                kl += Math.Log(Old[row, t]) - Math.Log(Probability[row, t]);
                if (off)
                {
                    offTotal += term.Loss;
                    weightTotal += term.Weight;
                    offCount++;
                    gradient[t] = term.Gradient / denominator;
                }
                else
                {
                    onTotal += term.Loss;
                    onCount++;
                    if (row == 0) firstRow[t] = term.Gradient / denominator;
                }
            }
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(total, Is.EqualTo(loss).Within(1e-6));
            Assert.That(onTotal / onCount, Is.EqualTo(onLoss).Within(1e-6));
            Assert.That(offTotal / offCount, Is.EqualTo(offLoss).Within(1e-6));
            Assert.That(weightTotal / offCount, Is.EqualTo(offWeight).Within(1e-6));
            Assert.That(kl / 13, Is.EqualTo(0.009929).Within(1e-6));
            for (int t = 0; t < 4; t++) Assert.That(gradient[t], Is.EqualTo(demonstrationGradient[t]).Within(1e-8));
            // With A < 0 a ratio of 1.25 is beyond the clip, but there the unclipped loss is the larger: its gradient stays.
            if (denominator == 4) Assert.That(firstRow, Is.EqualTo(new[] { .125, .15625, .125, 0 }).Within(1e-12));
        }
    }
}
