using Luffy.Engine.Data.Tasks;

namespace Luffy.Engine.Evaluation;

/// <summary>The 95% interval of an accuracy.</summary>
/// <param name="Low">Its lower end.</param>
/// <param name="High">Its upper end.</param>
public readonly record struct ConfidenceInterval(double Low, double High)
{
    private const int Draws = 2000;
    private const double Normal975 = 1.959963984540054;
    private const ulong RandomSeed = 0xE7A1_C011_F1DE_0001;

    /// <summary>
    /// Of the share of problems that are right, where each was answered once: Wilson's score interval (1927), which is sensible at 0 and 1 too.
    /// </summary>
    public static ConfidenceInterval Wilson(int right, int problems)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(problems, 1);
        double share = (double)right / problems, z2 = Normal975 * Normal975, scale = 1 / (1 + (z2 / problems));
        double centre = scale * (share + (z2 / (2 * problems))), half = scale * Normal975 * Math.Sqrt((share * (1 - share) / problems) + (z2 / (4.0 * problems * problems)));
        return new(Math.Max(0, centre - half), Math.Min(1, centre + half));
    }

    /// <summary>
    /// Of the mean over data sources of the mean over their problems, by the percentiles of a bootstrap (Efron and Tibshirani, 1993): a draw takes
    /// the problems of each source with replacement, each with all of its samples. The same figures give the same interval. Where all scores are 0,
    /// or all are 1, it is Wilson's over all problems.
    /// </summary>
    /// <param name="sources">For each source the score of each of its problems.</param>
    public static ConfidenceInterval Bootstrap(IReadOnlyList<double[]> sources)
    {
        ArgumentNullException.ThrowIfNull(sources);
        // Problems that all went the same way say nothing of their spread, and a bootstrap would call that certainty.
        if (sources.All(scores => scores.All(score => score == sources[0][0])) && sources[0][0] is 0 or 1)
            return Wilson(sources.Sum(scores => scores.Length) * (int)sources[0][0], sources.Sum(scores => scores.Length));
        var random = new TaskRandom(RandomSeed);
        var drawn = new double[Draws];
        for (int d = 0; d < Draws; d++)
        {
            double sum = 0;
            foreach (double[] scores in sources)
            {
                double inSource = 0;
                for (int i = 0; i < scores.Length; i++) inSource += scores[random.Next(0, scores.Length - 1)];
                sum += inSource / scores.Length;
            }

            drawn[d] = sum / sources.Count;
        }

        Array.Sort(drawn);
        return new(drawn[(int)(0.025 * (Draws - 1))], drawn[(int)Math.Ceiling(0.975 * (Draws - 1))]);
    }
}
