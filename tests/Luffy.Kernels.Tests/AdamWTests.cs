namespace Luffy.Kernels.Tests;

[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.All))]
public sealed class AdamWTests(string backend, DType dtype) : OperationTests(backend, dtype)
{
    private static readonly AdamWOptions Options = new(.03f, .9f, .98f, 1e-3f, .1f, 1, .7f);

    [TestCase(1), TestCase(7), TestCase(33), TestCase(1000)]
    public void Ten_updates_are_those_of_the_formula(int n)
    {
        float[] start = Inputs.Normal(1, DType.F32, n);
        double[] master = Inputs.ToDouble(start), m = new double[n], v = new double[n];
        float[] naiveMaster = (float[])start.Clone(), naiveM = new float[n], naiveV = new float[n];
        Tensor weights = Lab.Output(Dtype, n), values = Lab.Floats(DType.F32, start, n);
        Tensor first = Lab.Floats(DType.F32, new float[n], n), second = Lab.Floats(DType.F32, new float[n], n);
        for (int step = 1; step <= 10; step++)
        {
            float[] gradient = Inputs.Normal(10 + step, DType.F32, n);
            AdamWOptions options = Options with { Step = step, LearningRate = Options.LearningRate / step };
            Backend.AdamW.Update(weights, values, first, second, Lab.Floats(DType.F32, gradient, n), options);
            for (int i = 0; i < n; i++)
            {
                double g = gradient[i] * (double)options.GradientScale;
                m[i] = (options.Beta1 * m[i]) + ((1 - (double)options.Beta1) * g);
                v[i] = (options.Beta2 * v[i]) + ((1 - (double)options.Beta2) * g * g);
                double update = m[i] / (1 - Math.Pow(options.Beta1, step)) / (Math.Sqrt(v[i] / (1 - Math.Pow(options.Beta2, step))) + options.Epsilon);
                master[i] -= options.LearningRate * ((options.WeightDecay * master[i]) + update);

                float ng = gradient[i] * options.GradientScale;
                naiveM[i] = (options.Beta1 * naiveM[i]) + ((1 - options.Beta1) * ng);
                naiveV[i] = (options.Beta2 * naiveV[i]) + ((1 - options.Beta2) * ng * ng);
                float naiveUpdate = naiveM[i] / (1 - MathF.Pow(options.Beta1, step)) /
                    (MathF.Sqrt(naiveV[i] / (1 - MathF.Pow(options.Beta2, step))) + options.Epsilon);
                naiveMaster[i] -= options.LearningRate * ((options.WeightDecay * naiveMaster[i]) + naiveUpdate);
            }
        }

        Close("master", Lab.Read(values), master, naiveMaster, DType.F32);
        Close("m", Lab.Read(first), m, naiveM, DType.F32);
        Close("v", Lab.Read(second), v, naiveV, DType.F32);
        float[] rounded = Array.ConvertAll(Lab.Read(values), value => Dtype == DType.Bf16 ? BFloat16.Round(value) : value);
        Expect.SameBits("weights", Lab.Read(weights), rounded);
    }

    [Test]
    public void Weights_may_be_absent_or_the_master_itself()
    {
        const int n = 37;
        float[] start = Inputs.Normal(1, DType.F32, n), gradient = Inputs.Normal(2, DType.F32, n);
        Tensor separate = Run(Lab.Output(DType.F32, n), null), absent = Run(default, null), same = Run(default, "same");
        Expect.SameBits("absent", Lab.Read(absent), Lab.Read(separate));
        Expect.SameBits("same", Lab.Read(same), Lab.Read(separate));

        Tensor Run(Tensor weights, string? mode)
        {
            Tensor master = Lab.Floats(DType.F32, start, n);
            Backend.AdamW.Update(mode == "same" ? master : weights, master, Lab.Floats(DType.F32, new float[n], n), Lab.Floats(DType.F32, new float[n], n),
                Lab.Floats(DType.F32, gradient, n), Options);
            return master;
        }
    }

    [TestCase(1), TestCase(31), TestCase(1024), TestCase(1025), TestCase(100_003)]
    public void Squared_norm_is_right_and_repeats(int n)
    {
        float[] x = Inputs.Normal(3, DType.F32, n);
        double truth = x.Sum(value => (double)value * value);
        float[] first = Norm(x);
        Assert.That(first[0], Is.EqualTo(truth).Within(1e-6 * truth));
        Expect.SameBits("again", Norm(x), first);
    }

    [TestCase(float.NaN), TestCase(float.PositiveInfinity), TestCase(float.NegativeInfinity)]
    public void A_broken_element_breaks_the_norm(float broken)
    {
        foreach (int at in (int[])[0, 1023, 1024, 2999])
        {
            float[] x = Inputs.Normal(4, DType.F32, 3000);
            x[at] = broken;
            Assert.That(float.IsFinite(Norm(x)[0]), Is.False, $"element {at}");
        }
    }

    [Test]
    public void The_norm_of_nothing_is_zero() => Assert.That(Norm([])[0], Is.Zero);

    private float[] Norm(float[] x)
    {
        Tensor result = Lab.Output(DType.F32, 1);
        long bytes = Backend.AdamW.SquaredNormScratchBytes(x.Length);
        Backend.AdamW.SquaredNorm(result, Lab.Floats(DType.F32, x, x.Length), bytes == 0 ? default : Lab.Scratch(bytes));
        return Lab.Read(result);
    }
}
