namespace Luffy.Engine.Model;

/// <summary>Cosines and sines of the rotary angles, computed in f64 once.</summary>
public static class RopeTable
{
    /// <summary>Angular frequency of each of the D/2 pairs: θ^(−2i/D), scaled as Llama 3.1 scales them where the config says so.</summary>
    public static double[] Frequencies(TransformerConfig config)
    {
        var frequencies = new double[config.HeadDim / 2];
        for (int i = 0; i < frequencies.Length; i++)
        {
            double frequency = Math.Pow(config.RopeTheta, -2.0 * i / config.HeadDim);
            frequencies[i] = config.RopeScaling is { } s ? Scale(frequency, s) : frequency;
        }

        return frequencies;
    }

    /// <summary>[positions, D]: the D/2 cosines of a position, then its D/2 sines.</summary>
    public static float[] Create(TransformerConfig config, int positions)
    {
        double[] frequencies = Frequencies(config);
        int half = frequencies.Length;
        var table = new float[positions * config.HeadDim];
        for (int p = 0; p < positions; p++)
        {
            for (int i = 0; i < half; i++)
            {
                (double sin, double cos) = Math.SinCos(p * frequencies[i]);
                table[(p * config.HeadDim) + i] = (float)cos;
                table[(p * config.HeadDim) + half + i] = (float)sin;
            }
        }

        return table;
    }

    private static double Scale(double frequency, Llama3RopeScaling s)
    {
        double wavelength = 2 * Math.PI / frequency;
        if (wavelength > s.OriginalMaxPositions / s.LowFrequencyFactor) return frequency / s.Factor;
        if (wavelength < s.OriginalMaxPositions / s.HighFrequencyFactor) return frequency;
        double ramp = ((s.OriginalMaxPositions / wavelength) - s.LowFrequencyFactor) / (s.HighFrequencyFactor - s.LowFrequencyFactor);
        return ((1 - ramp) * frequency / s.Factor) + (ramp * frequency);
    }
}
