namespace Luffy.Kernels.Tests;

/// <summary>How results are judged: as bits, or by the error that the naive way makes.</summary>
public static class Expect
{
    /// <summary>
    /// The largest error against the f64 truth is at most twice that of the naive low-precision way, or one unit in the last place of
    /// the largest value where the naive way was lucky (the rule of FlashAttention's tests).
    /// </summary>
    public static void Close(string what, float[] actual, double[] truth, float[] naive, DType storage)
    {
        Assert.That(actual, Has.Length.EqualTo(truth.Length), what);
        double largest = truth.Length == 0 ? 0 : truth.Max(Math.Abs);
        double floor = largest * (storage == DType.Bf16 ? Math.Pow(2, -8) : Math.Pow(2, -22));
        double allowed = (2 * LargestError(naive, truth, out _)) + floor;
        double error = LargestError(actual, truth, out int at);
        Assert.That(error, Is.LessThanOrEqualTo(allowed), () => $"{what}[{at}] is {actual[at]:R}, truth {truth[at]:R}, largest value {largest:G3}");
    }

    /// <summary>The same bits, element by element; NaN equals the same NaN.</summary>
    public static void SameBits(string what, float[] actual, float[] expected)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length), what);
        for (int i = 0; i < actual.Length; i++)
        {
            if (BitConverter.SingleToUInt32Bits(actual[i]) != BitConverter.SingleToUInt32Bits(expected[i]))
                Assert.Fail($"{what}[{i}] is {actual[i]:R}, expected the bits of {expected[i]:R}");
        }
    }

    /// <summary>
    /// Two backends in the same storage agree within a few roundings of the largest value: in bf16 six, for a gradient of attention is made of
    /// probabilities and differences that are rounded too, and 4.3 have been seen.
    /// </summary>
    public static void Agree(string what, float[] actual, float[] expected, DType storage)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length), what);
        if (actual.Length == 0) return;
        double largest = expected.Max(value => Math.Abs((double)value)), tolerance = (storage == DType.Bf16 ? 6.0 / 256 : 1e-5) * (largest + 1e-3);
        double error = LargestError(actual, Inputs.ToDouble(expected), out int at);
        Assert.That(error, Is.LessThanOrEqualTo(tolerance), () => $"{what}[{at}] is {actual[at]:R}, expected {expected[at]:R}, largest value {largest:G3}");
    }

    private static double LargestError(float[] values, double[] truth, out int at)
    {
        double largest = 0;
        at = 0;
        for (int i = 0; i < values.Length; i++)
        {
            double error = Math.Abs(values[i] - truth[i]);
            // NaN compares false with everything: count it as the largest error of all.
            if (error <= largest) continue;
            (largest, at) = (double.IsNaN(error) ? double.PositiveInfinity : error, i);
        }

        return largest;
    }
}
