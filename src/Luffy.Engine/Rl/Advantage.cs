using Luffy.Engine.Configuration;

namespace Luffy.Engine.Rl;

/// <summary>Group-relative advantages: reward minus the group's mean (GRPO, arXiv 2402.03300; without the division by the standard deviation in Dr.GRPO and LUFFY).</summary>
public static class Advantage
{
    private const double Epsilon = 1e-6;

    /// <summary>The advantage of each row of one group.</summary>
    /// <param name="rewards">Rewards of all rows.</param>
    /// <param name="isDemonstration">Which rows are demonstrations.</param>
    /// <param name="baseline">Rows that make the mean (and the standard deviation).</param>
    /// <param name="divideByStandardDeviation">Divide by the unbiased standard deviation + 1e-6; a group of one has mean 0 and deviation 1.</param>
    public static double[] Of(ReadOnlySpan<double> rewards, ReadOnlySpan<bool> isDemonstration, AdvantageBaseline baseline, bool divideByStandardDeviation)
    {
        double sum = 0;
        int count = 0;
        for (int i = 0; i < rewards.Length; i++)
        {
            if (baseline == AdvantageBaseline.OnPolicy && isDemonstration[i]) continue;
            sum += rewards[i];
            count++;
        }

        double mean = count > 1 ? sum / count : 0, squares = 0;
        for (int i = 0; i < rewards.Length; i++)
        {
            if (baseline == AdvantageBaseline.OnPolicy && isDemonstration[i]) continue;
            squares += (rewards[i] - mean) * (rewards[i] - mean);
        }

        double deviation = count > 1 ? Math.Sqrt(squares / (count - 1)) : 1;
        var advantages = new double[rewards.Length];
        for (int i = 0; i < rewards.Length; i++)
            advantages[i] = (rewards[i] - mean) / (divideByStandardDeviation ? deviation + Epsilon : 1);
        return advantages;
    }
}
