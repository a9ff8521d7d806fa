using Luffy.Engine.Data.Tasks;
using MathNet.Numerics.Distributions;

namespace Luffy.Engine.Comparison;

/// <summary>A mean and its 95% interval.</summary>
/// <param name="Mean">The mean.</param>
/// <param name="HalfWidth">Half the interval's width; null where a single value gives none.</param>
public readonly record struct MeanInterval(double Mean, double? HalfWidth)
{
    /// <summary>By Student's t: mean ± t(0.975, n − 1) · s / √n, s the unbiased deviation.</summary>
    public static MeanInterval Of(IReadOnlyList<double> values)
    {
        double mean = values.Average();
        if (values.Count < 2) return new MeanInterval(mean, null);
        double deviation = Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Count - 1));
        return new MeanInterval(mean, StudentT.InvCDF(0, 1, values.Count - 1, 0.975) * deviation / Math.Sqrt(values.Count));
    }
}

/// <summary>A difference and the 95% interval that a bootstrap gives it.</summary>
/// <param name="Difference">Of the means.</param>
/// <param name="Low">The 2.5th percentile of the draws.</param>
/// <param name="High">The 97.5th percentile.</param>
public readonly record struct DifferenceInterval(double Difference, double Low, double High);

/// <summary>
/// The paired bootstrap (Efron and Tibshirani, 1993) of the difference of two methods that were trained with the same seeds and tested on the same
/// problems. A draw takes seeds with replacement, and within each family problems with replacement, the same for both methods; families count
/// the same. The interval is that of the percentiles.
/// </summary>
public static class PairedBootstrap
{
    private const ulong RandomSeed = 0xB007_57AA_9000_0001;

    /// <summary>The interval of the mean over families.</summary>
    /// <param name="differences">For each family, for each of its problems, for each seed: the one method's score less the other's.</param>
    /// <param name="draws">How many times to draw.</param>
    public static DifferenceInterval Of(IReadOnlyList<double[][]> differences, int draws)
    {
        int seeds = differences[0][0].Length;
        var random = new TaskRandom(RandomSeed);
        var drawn = new double[draws];
        var chosen = new int[seeds];
        for (int d = 0; d < draws; d++)
        {
            for (int s = 0; s < seeds; s++) chosen[s] = random.Next(0, seeds - 1);
            double sum = 0;
            foreach (double[][] family in differences)
            {
                double inFamily = 0;
                for (int i = 0; i < family.Length; i++)
                {
                    double[] problem = family[random.Next(0, family.Length - 1)];
                    foreach (int s in chosen) inFamily += problem[s];
                }
                sum += inFamily / ((double)family.Length * seeds);
            }
            drawn[d] = sum / differences.Count;
        }
        Array.Sort(drawn);
        return new DifferenceInterval(differences.Average(f => f.Average(p => p.Average())), Percentile(drawn, 0.025), Percentile(drawn, 0.975));
    }

    // Between the two neighbours, as NumPy's default has it.
    private static double Percentile(double[] sorted, double share)
    {
        double at = share * (sorted.Length - 1);
        int below = (int)at;
        return below + 1 == sorted.Length ? sorted[below] : sorted[below] + ((at - below) * (sorted[below + 1] - sorted[below]));
    }
}
