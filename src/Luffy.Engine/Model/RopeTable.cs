namespace Luffy.Engine.Model;

/// <summary>Cosines and sines of the rotary angles, computed in f64 once.</summary>
public static class RopeTable
{
    /// <summary>Angular frequency of each of the D/2 pairs: θ^(−2i/D), scaled as the config says (<see cref="RopeScaling"/>).</summary>
    public static double[] Frequencies(TransformerConfig config)
    {
        var frequencies = new double[config.HeadDim / 2];
        for (int i = 0; i < frequencies.Length; i++)
        {
            double frequency = Math.Pow(config.RopeTheta, -2.0 * i / config.HeadDim);
            frequencies[i] = config.RopeScaling?.Scale(frequency, i, config.HeadDim, config.RopeTheta) ?? frequency;
        }

        return frequencies;
    }

    /// <summary>[positions, D]: the D/2 cosines of a position, then its D/2 sines, both times the scaling's factor.</summary>
    public static float[] Create(TransformerConfig config, int positions)
    {
        double[] frequencies = Frequencies(config);
        double factor = config.RopeScaling?.AttentionFactor ?? 1;
        int half = frequencies.Length;
        var table = new float[positions * config.HeadDim];
        for (int p = 0; p < positions; p++)
        {
            for (int i = 0; i < half; i++)
            {
                (double sin, double cos) = Math.SinCos(p * frequencies[i]);
                table[(p * config.HeadDim) + i] = (float)(cos * factor);
                table[(p * config.HeadDim) + half + i] = (float)(sin * factor);
            }
        }

        return table;
    }
}
