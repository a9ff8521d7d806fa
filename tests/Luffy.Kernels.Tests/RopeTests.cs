namespace Luffy.Kernels.Tests;

[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.AllAndEmulator))]
public sealed class RopeTests(string backend, DType dtype) : OperationTests(backend, dtype)
{
    [TestCase(1, 1, 1, 2), TestCase(3, 4, 3, 6), TestCase(9, 5, 4, 64), TestCase(33, 8, 6, 20), TestCase(40, 3, 3, 128)]
    public void Rotates_heads_by_the_table_and_back(int tokens, int heads, int rotated, int width)
    {
        const int places = 50;
        float[] qkv = Normal(1, tokens * heads * width), table = Table(places, width);
        int[] positions = Inputs.Ids(2, tokens, places);
        Tensor values = Lab.Floats(Dtype, qkv, tokens, heads, width), angles = Lab.Floats(DType.F32, table, places, width);
        foreach (bool inverse in (bool[])[false, true])
        {
            double[] truth = Mirror<double>.Rope(Precision.Truth, Inputs.ToDouble(qkv), positions, Inputs.ToDouble(table), heads, rotated, width, inverse);
            float[] naive = Mirror<float>.Rope(Precision.Naive(Dtype), qkv, positions, table, heads, rotated, width, inverse);
            Tensor turned = Lab.Floats(Dtype, qkv, tokens, heads, width);
            if (inverse) Backend.Rope.Backward(turned, Lab.Ints(positions), angles, rotated);
            else Backend.Rope.Forward(turned, Lab.Ints(positions), angles, rotated);
            float[] actual = Lab.Read(turned);
            Close(inverse ? "backward" : "forward", actual, truth, naive, Dtype);
            for (int i = 0; i < actual.Length; i++)
            {
                if (i / width % heads >= rotated) Assert.That(actual[i], Is.EqualTo(qkv[i]), "a head beyond the rotated ones moved");
            }
        }

        Backend.Rope.Forward(values, Lab.Ints(positions), angles, rotated);
        Backend.Rope.Backward(values, Lab.Ints(positions), angles, rotated);
        double tolerance = Dtype == DType.Bf16 ? 0.05 : 1e-5;
        float[] back = Lab.Read(values);
        for (int i = 0; i < back.Length; i++) Assert.That(back[i], Is.EqualTo(qkv[i]).Within(tolerance), "there and back again");
    }

    private static float[] Table(int places, int width)
    {
        float[] table = new float[places * width];
        for (int p = 0; p < places; p++)
        {
            for (int i = 0; i < width / 2; i++)
            {
                double angle = p * Math.Pow(10000, -2.0 * i / width);
                table[(p * width) + i] = (float)Math.Cos(angle);
                table[(p * width) + (width / 2) + i] = (float)Math.Sin(angle);
            }
        }

        return table;
    }
}
