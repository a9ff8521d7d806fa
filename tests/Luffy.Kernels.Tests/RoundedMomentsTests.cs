namespace Luffy.Kernels.Tests;

/// <summary>AdamW with bf16 moments: the update of f32 moments, of which the stored ones are rounded by chance.</summary>
[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.AllAndEmulatorF32))]
public sealed class RoundedMomentsTests(string backend) : OperationTests(backend, DType.Bf16)
{
    private const ulong Key = 0xFEDCBA9876543210;
    private static readonly AdamWOptions Options = new(.03f, .9f, .98f, 1e-3f, .1f, 1, .7f, Key);

    // From the same moments, the next ones in f32 are what is rounded: to the bits that the contract says, on every backend.
    [Test]
    public void Moments_are_those_of_f32_rounded_by_the_bits_of_the_contract([Values] bool packed, [Values(DType.F32, DType.Bf16)] DType gradients,
        [Values("1 1", "5 7", "33 65", "3 1101")] string shape)
    {
        (int rows, int columns) = (int.Parse(shape.Split()[0]), int.Parse(shape.Split()[1]));
        int n = rows * columns;
        // Masters that lie between two bf16 numbers, so that the sign of the second moment is in use.
        float[] start = Array.ConvertAll(Inputs.Normal(1, DType.Bf16, n), x => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(x) | 0x8000u));
        var rounded = new MasterWeights(Lab, Dtype, start, rows, columns, packed, DType.Bf16);
        var exact = new MasterWeights(Lab, Dtype, start, rows, columns, packed);
        foreach (long step in (long[])[1, 2, (1L << 32) + 3])
        {
            bool still = step == 2;
            AdamWOptions options = Options with { Step = step, LearningRate = still ? 0 : Options.LearningRate, WeightDecay = still ? 0 : Options.WeightDecay };
            Tensor gradient = Lab.Floats(gradients, Inputs.Normal((int)(10 + (step % 7)), DType.Bf16, n), rows, columns);
            Backend.Upload<float>(exact.First, Lab.Read(rounded.First));
            Backend.Upload<float>(exact.Second, Lab.Read(rounded.Second));
            rounded.Update(gradient, options);
            exact.Update(gradient, options);
            Expect.SameBits($"master after {step}", rounded.ReadMaster(), exact.ReadMaster());
            Expect.SameBits($"m after {step}", Lab.Read(rounded.First), Rounded(Lab.Read(exact.First), step, word => word & 0xFFFF));
            Expect.SameBits($"v after {step}", Lab.Read(rounded.Second), Rounded(Lab.Read(exact.Second), step, word => word >> 16));
        }
    }

    // A second moment of 1 that decays by 0.00075 a step: less than half of the 0.0039 between it and the next bf16 number.
    [Test]
    public void Slow_averages_move_where_rounding_to_nearest_stands_still()
    {
        const int n = 512, steps = 200;
        var weights = new MasterWeights(Lab, Dtype, new float[n], n, 1, packed: false, DType.Bf16);
        Backend.Upload<ushort>(weights.Second, Array.ConvertAll(new float[n], _ => BFloat16.FromSingle(1)));
        Tensor gradient = Lab.Floats(DType.F32, Filled(n, .5f), n, 1);
        float nearest = 1;
        double truth = 1;
        for (int step = 1; step <= steps; step++)
        {
            weights.Update(gradient, new AdamWOptions(0, .9f, .999f, 1e-8f, 0, step, 1, Key));
            nearest = BFloat16.Round((.999f * nearest) + (.001f * .25f));
            truth = (.999 * truth) + (.001 * .25);
        }

        Assert.That(nearest, Is.EqualTo(1), "rounded to nearest");
        // An element strays by about √200 · 0.0016 = 0.02, and the mean of 512 by a thousandth.
        Assert.That(weights.ReadSecond().Average(x => (double)x), Is.EqualTo(truth).Within(.005));
        Assert.That(Lab.Read(weights.First).Average(x => (double)x), Is.EqualTo(.5).Within(.002));
    }

    // Large gradients, and then small ones: steps become longer as the second moment forgets the large ones.
    [Test]
    public void Weights_go_as_far_as_with_f32_moments_and_rounding_to_nearest_falls_behind()
    {
        const int n = 64, large = 20, steps = 1000;
        var start = new float[n];
        MasterWeights exact = Weights(DType.F32), rounded = Weights(DType.Bf16), nearest = Weights(DType.F32);
        Tensor before = Lab.Floats(DType.F32, Filled(n, 1), n, 1), after = Lab.Floats(DType.F32, Filled(n, .05f), n, 1);
        for (int step = 1; step <= steps; step++)
        {
            AdamWOptions options = new(1e-3f, .9f, .998f, 1e-8f, 0, step, 1, Key);
            foreach (MasterWeights weights in (MasterWeights[])[exact, rounded, nearest]) weights.Update(step <= large ? before : after, options);
            foreach (Tensor moment in (Tensor[])[nearest.First, nearest.Second]) Backend.Upload<float>(moment, Array.ConvertAll(Lab.Read(moment), BFloat16.Round));
        }

        double distance = Distance(exact);
        Assert.That(Distance(rounded), Is.EqualTo(distance).Within(.02 * distance));
        Assert.That(Distance(nearest), Is.LessThan(.8 * distance));

        MasterWeights Weights(DType moments) => new(Lab, Dtype, start, n, 1, packed: false, moments);

        double Distance(MasterWeights weights) => -weights.ReadMaster().Average(x => (double)x);
    }

    private static float[] Rounded(float[] values, long step, Func<uint, uint> half)
    {
        var rounded = new float[values.Length];
        for (int i = 0; i < rounded.Length; i++) rounded[i] = BFloat16.ToSingle(StochasticRounding.Round(values[i], half(StochasticRounding.Word(i, step, Key))));
        return rounded;
    }

    private static float[] Filled(int n, float value)
    {
        var values = new float[n];
        Array.Fill(values, value);
        return values;
    }
}

/// <summary>The rounding itself.</summary>
public sealed class StochasticRoundingTests
{
    [TestCase(1.0023f), TestCase(-1.9999f), TestCase(3.1e-39f), TestCase(-6.02e23f)]
    public void The_mean_of_many_roundings_is_the_number(float value)
    {
        const int n = 1 << 20;
        float below = BFloat16.ToSingle((ushort)(BitConverter.SingleToUInt32Bits(value) >> 16));
        float above = BFloat16.ToSingle((ushort)((BitConverter.SingleToUInt32Bits(value) >> 16) + 1));
        double share = ((double)value - below) / ((double)above - below);
        foreach (int shift in (int[])[0, 16])
        {
            int up = 0;
            for (int i = 0; i < n; i++)
            {
                float result = BFloat16.ToSingle(StochasticRounding.Round(value, (StochasticRounding.Word(i, 7, 99) >> shift) & 0xFFFF));
                if (result == above) up++;
                else Assert.That(result, Is.EqualTo(below));
            }

            // Five standard deviations.
            Assert.That((double)up / n, Is.EqualTo(share).Within(5 * Math.Sqrt(share * (1 - share) / n)));
        }
    }

    [Test]
    public void Steps_keys_and_elements_have_random_words_of_their_own()
    {
        HashSet<uint> words = [];
        foreach ((long step, ulong key) in ((long, ulong)[])[(1, 0), (2, 0), (1L << 32, 0), (1, 1), (1, 1UL << 32)])
            foreach (long element in (long[])[0, 1, 2, 3, 4, 1L << 34])
                words.Add(StochasticRounding.Word(element, step, key));
        Assert.That(words, Has.Count.EqualTo(30));
    }

    [TestCase(1.5f), TestCase(-0f), TestCase(0f), TestCase(float.PositiveInfinity), TestCase(float.NegativeInfinity), TestCase(-1e-40f)]
    public void What_bf16_holds_stays(float value)
    {
        float stored = BFloat16.Round(value);
        foreach (uint random in (uint[])[0, 1, 0x8000, 0xFFFF])
            Assert.That(StochasticRounding.Round(stored, random), Is.EqualTo(BFloat16.FromSingle(value)));
    }

    [TestCase(0x7F800001u), TestCase(0xFFFFFFFFu), TestCase(0x7FC00000u)]
    public void NaN_stays_a_quiet_NaN(uint bits)
    {
        foreach (uint random in (uint[])[0, 0xFFFF])
        {
            ushort rounded = StochasticRounding.Round(BitConverter.UInt32BitsToSingle(bits), random);
            Assert.That(float.IsNaN(BFloat16.ToSingle(rounded)) && (rounded & 0x40) != 0, Is.True);
        }
    }
}
