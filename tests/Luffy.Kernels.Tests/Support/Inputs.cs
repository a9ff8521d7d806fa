namespace Luffy.Kernels.Tests;

/// <summary>Seeded inputs whose values storage holds exactly, so that every precision computes on the same numbers.</summary>
public static class Inputs
{
    /// <summary>Normal deviates times <paramref name="scale"/>, rounded to <paramref name="dtype"/>.</summary>
    public static float[] Normal(int seed, DType dtype, int length, double scale = 1)
    {
        Random random = new(seed);
        float[] values = new float[length];
        for (int i = 0; i < length; i++)
        {
            double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            float value = (float)(scale * radius * Math.Cos(2 * Math.PI * random.NextDouble()));
            values[i] = dtype == DType.Bf16 ? BFloat16.Round(value) : value;
        }

        return values;
    }

    public static int[] Ids(int seed, int length, int limit)
    {
        Random random = new(seed);
        int[] ids = new int[length];
        for (int i = 0; i < length; i++) ids[i] = random.Next(limit);
        return ids;
    }

    public static double[] ToDouble(float[] values) => Array.ConvertAll(values, value => (double)value);

    public static float[] ToSingle(double[] values) => Array.ConvertAll(values, value => (float)value);
}
