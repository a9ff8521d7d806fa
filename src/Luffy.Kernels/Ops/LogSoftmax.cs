namespace Luffy.Kernels;

/// <summary>
/// Log-sum-exp and entropy of one row of scaled logits, in one fixed order: the maximum, then blocks of <see cref="Block"/>
/// tokens in ascending order. Training and sampling both call it, which is why their log-probs have the same bits.
/// </summary>
internal static class LogSoftmax
{
    private const int Block = 128;

    /// <summary>Divides logits by the temperature in place. Both callers scale before anything else.</summary>
    public static void Scale(Span<float> logits, float temperature)
    {
        for (int v = 0; v < logits.Length; v++) logits[v] /= temperature;
    }

    /// <summary>
    /// ln Σ e^z and, with p = e^(z − lse), H = −Σ p·ln p = ln S − Σ e^(z−m)·(z−m) / S where m is the maximum and S = Σ e^(z−m).
    /// Entries of −∞ are tokens that cannot be drawn: they add nothing.
    /// </summary>
    public static (float LogSumExp, float Entropy) Row(ReadOnlySpan<float> z)
    {
        float maximum = float.NegativeInfinity;
        foreach (float value in z) maximum = MathF.Max(maximum, value);

        float total = 0, weighted = 0;
        for (int start = 0; start < z.Length; start += Block)
        {
            float blockTotal = 0, blockWeighted = 0;
            foreach (float value in z[start..Math.Min(start + Block, z.Length)])
            {
                float difference = value - maximum, e = MathF.Exp(difference);
                if (e == 0) continue;
                blockTotal += e;
                blockWeighted += e * difference;
            }

            total += blockTotal;
            weighted += blockWeighted;
        }

        float logTotal = MathF.Log(total);
        return (maximum + logTotal, logTotal - (weighted / total));
    }
}
