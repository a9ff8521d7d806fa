namespace Luffy.Kernels.Tests;

[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.AllAndEmulator))]
public sealed class AdamWTests(string backend, DType dtype) : OperationTests(backend, dtype)
{
    private static readonly AdamWOptions Options = new(.03f, .9f, .98f, 1e-3f, .1f, 1, .7f);

    [Test]
    public void Ten_updates_are_those_of_the_formula([Values] bool packed, [Values("1 1", "1 33", "5 7", "33 65", "70 1101")] string shape)
    {
        (int rows, int columns) = (int.Parse(shape.Split()[0]), int.Parse(shape.Split()[1]));
        int n = rows * columns;
        float[] start = Inputs.Normal(1, DType.F32, n);
        double[] master = Inputs.ToDouble(start), m = new double[n], v = new double[n];
        float[] naiveMaster = (float[])start.Clone(), naiveM = new float[n], naiveV = new float[n];
        var weights = new MasterWeights(Lab, Dtype, start, rows, columns, packed);
        for (int step = 1; step <= 10; step++)
        {
            float[] gradient = Inputs.Normal(10 + step, DType.F32, n);
            AdamWOptions options = Options with { Step = step, LearningRate = Options.LearningRate / step };
            weights.Update(Lab.Floats(DType.F32, gradient, rows, columns), options);
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

        float[] result = weights.ReadMaster();
        Close("master", result, master, naiveMaster, DType.F32);
        Close("m", Lab.Read(weights.First), m, naiveM, DType.F32);
        Close("v", weights.ReadSecond(), v, naiveV, DType.F32);
        float[] rounded = Array.ConvertAll(result, value => Dtype == DType.Bf16 ? BFloat16.Round(value) : value);
        Expect.SameBits("weights", weights.ReadWeights(), rounded);
    }

    // The storage of the weights must not show in the numbers: the same masters, whether whole, split or packed.
    [Test]
    public void Every_form_of_the_weights_and_of_the_gradient_gives_the_same_bits()
    {
        const int rows = 45, columns = 131;
        float[] start = Inputs.Normal(1, DType.F32, rows * columns), gradient = Inputs.Normal(2, DType.Bf16, rows * columns);
        (float[] master, float[] m, float[] v) expected = Run(DType.F32, packed: false, DType.F32);
        foreach ((DType storage, bool packed, DType gradients) in from s in (DType[])[DType.F32, DType.Bf16]
                                                                  from p in (bool[])[false, true]
                                                                  from g in (DType[])[DType.F32, DType.Bf16]
                                                                  select (s, p, g))
        {
            (float[] master, float[] m, float[] v) = Run(storage, packed, gradients);
            string what = $"{storage}, packed {packed}, gradient {gradients}: ";
            Expect.SameBits(what + "master", master, expected.master);
            Expect.SameBits(what + "m", m, expected.m);
            Expect.SameBits(what + "v", v, expected.v);
        }

        (float[], float[], float[]) Run(DType storage, bool packed, DType gradients)
        {
            var weights = new MasterWeights(Lab, storage, start, rows, columns, packed);
            Tensor g = Lab.Floats(gradients, gradient, rows, columns);
            for (int step = 1; step <= 3; step++) weights.Update(g, Options with { Step = step });
            return (weights.ReadMaster(), Lab.Read(weights.First), weights.ReadSecond());
        }
    }

    [Test]
    public void An_update_without_step_keeps_every_finite_master([Values] bool packed)
    {
        float[] masters = [.. SplitMasterTests.Samples().Where(float.IsFinite)];
        const int columns = 509;
        int rows = (masters.Length + columns - 1) / columns;
        Array.Resize(ref masters, rows * columns);
        var weights = new MasterWeights(Lab, Dtype, masters, rows, columns, packed);
        Tensor gradient = Lab.Floats(DType.F32, new float[masters.Length], rows, columns);
        for (int step = 1; step <= 2; step++)
        {
            weights.Update(gradient, Options with { LearningRate = 0, WeightDecay = 0, Step = step });
            Expect.SameBits($"master after {step}", weights.ReadMaster(), masters);
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

    [Test]
    public void The_norm_of_a_bf16_gradient_is_that_of_its_values()
    {
        float[] x = Inputs.Normal(5, DType.Bf16, 10_001);
        Expect.SameBits("norm", Norm(x, DType.Bf16), Norm(x));
    }

    private float[] Norm(float[] x, DType dtype = DType.F32)
    {
        Tensor result = Lab.Output(DType.F32, 1);
        long bytes = Backend.AdamW.SquaredNormScratchBytes(x.Length);
        Backend.AdamW.SquaredNorm(result, Lab.Floats(dtype, x, x.Length), bytes == 0 ? default : Lab.Scratch(bytes));
        return Lab.Read(result);
    }
}
