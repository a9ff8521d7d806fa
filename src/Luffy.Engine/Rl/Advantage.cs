using Luffy.Engine.Configuration;

namespace Luffy.Engine.Rl;

/// <summary>Advantages out of rewards. <see cref="AdvantageAssignment"/> chooses among them.</summary>
public static class Advantage
{
    private const double Epsilon = 1e-6;

    /// <summary>
    /// Group-relative advantages: reward minus the group's mean (GRPO, arXiv 2402.03300; without the division by the standard deviation in
    /// Dr.GRPO and LUFFY).
    /// </summary>
    /// <param name="rewards">Rewards of all rows.</param>
    /// <param name="isDemonstration">Which rows are demonstrations.</param>
    /// <param name="baseline">Rows that make the mean (and the standard deviation).</param>
    /// <param name="divideByStandardDeviation">Divide by the unbiased standard deviation + 1e-6; a group of one has mean 0 and deviation 1.</param>
    public static double[] Of(ReadOnlySpan<double> rewards, ReadOnlySpan<bool> isDemonstration, AdvantageBaseline baseline, bool divideByStandardDeviation)
    {
        // Measured from one of them, equal rewards have exactly the advantage zero, so that their group is seen to teach nothing.
        double origin = rewards[0], sum = 0;
        int count = 0;
        for (int i = 0; i < rewards.Length; i++)
        {
            if (baseline == AdvantageBaseline.OnPolicy && isDemonstration[i]) continue;
            sum += rewards[i] - origin;
            count++;
        }

        if (count <= 1) origin = 0;
        double mean = count > 1 ? sum / count : 0, squares = 0;
        for (int i = 0; i < rewards.Length; i++)
        {
            if (baseline == AdvantageBaseline.OnPolicy && isDemonstration[i]) continue;
            double distance = rewards[i] - origin - mean;
            squares += distance * distance;
        }

        double deviation = count > 1 ? Math.Sqrt(squares / (count - 1)) : 1;
        var advantages = new double[rewards.Length];
        for (int i = 0; i < rewards.Length; i++)
            advantages[i] = (rewards[i] - origin - mean) / (divideByStandardDeviation ? deviation + Epsilon : 1);
        return advantages;
    }

    /// <summary>
    /// Leave-one-out advantages, A_i = r_i − mean of r_j over j ≠ i (RLOO, arXiv 2402.14740): with every row in the baseline n/(n − 1) times
    /// the reward minus the mean. A row outside the baseline is measured from the mean of all rows in it.
    /// </summary>
    /// <param name="rewards">Rewards of all rows of one group.</param>
    /// <param name="isDemonstration">Which rows are demonstrations.</param>
    /// <param name="baseline">Rows that make the means; a row that has no other row to be compared with keeps its reward.</param>
    public static double[] LeaveOneOut(ReadOnlySpan<double> rewards, ReadOnlySpan<bool> isDemonstration, AdvantageBaseline baseline)
    {
        double origin = rewards[0], sum = 0;
        int count = 0;
        for (int i = 0; i < rewards.Length; i++)
        {
            if (baseline == AdvantageBaseline.OnPolicy && isDemonstration[i]) continue;
            sum += rewards[i] - origin;
            count++;
        }

        var advantages = new double[rewards.Length];
        for (int i = 0; i < rewards.Length; i++)
        {
            bool outside = baseline == AdvantageBaseline.OnPolicy && isDemonstration[i];
            double own = rewards[i] - origin;
            int others = outside ? count : count - 1;
            advantages[i] = others == 0 ? rewards[i] : own - ((outside ? sum : sum - own) / others);
        }

        return advantages;
    }

    /// <summary>
    /// Normalises over the tokens of a batch, A_i = (x_i − mean) / (std + 1e-6), where each row counts with its tokens (REINFORCE++,
    /// arXiv 2501.03262). The deviation is unbiased; where all values are equal every advantage is exactly 0.
    /// </summary>
    /// <param name="values">Reward of each row, or its reward minus the group's mean.</param>
    /// <param name="tokens">Response tokens of each row.</param>
    public static double[] NormalizedOverTokens(ReadOnlySpan<double> values, ReadOnlySpan<int> tokens)
    {
        double origin = values[0], sum = 0, squares = 0;
        long count = 0;
        for (int i = 0; i < values.Length; i++)
        {
            sum += tokens[i] * (values[i] - origin);
            count += tokens[i];
        }

        double mean = count > 0 ? sum / count : 0;
        for (int i = 0; i < values.Length; i++)
        {
            double distance = values[i] - origin - mean;
            squares += tokens[i] * distance * distance;
        }

        double deviation = count > 1 ? Math.Sqrt(squares / (count - 1)) : 1;
        var advantages = new double[values.Length];
        for (int i = 0; i < values.Length; i++) advantages[i] = (values[i] - origin - mean) / (deviation + Epsilon);
        return advantages;
    }
}
