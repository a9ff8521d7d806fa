namespace Luffy.Kernels.Tests;

/// <summary>Numerical derivatives in f64, which need no derivation and so cannot share a mistake with one.</summary>
public static class FiniteDifference
{
    /// <summary>Central differences of a scalar function by each of its arguments; the error is of the order of 1e-9.</summary>
    public static double[] Gradient(Func<double[], double> function, double[] at, double step = 1e-5)
    {
        double[] x = (double[])at.Clone(), gradient = new double[at.Length];
        for (int i = 0; i < x.Length; i++)
        {
            x[i] = at[i] + step;
            double above = function(x);
            x[i] = at[i] - step;
            double below = function(x);
            x[i] = at[i];
            gradient[i] = (above - below) / (2 * step);
        }

        return gradient;
    }

    /// <summary>Σ a·b: turns a tensor into the scalar whose gradient is the upstream one.</summary>
    public static double Contract(double[] a, double[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }

    /// <summary>Every element agrees within <paramref name="relative"/> of the largest.</summary>
    public static void Agree(string what, IReadOnlyList<double> actual, double[] numerical, double relative)
    {
        Assert.That(actual, Has.Count.EqualTo(numerical.Length), what);
        double largest = numerical.Max(Math.Abs);
        Assert.That(largest, Is.GreaterThan(1e-3), () => $"{what}: a gradient this small proves nothing");
        for (int i = 0; i < numerical.Length; i++)
            Assert.That(actual[i], Is.EqualTo(numerical[i]).Within(relative * largest), () => $"{what}[{i}]");
    }
}
