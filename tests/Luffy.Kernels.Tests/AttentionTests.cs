namespace Luffy.Kernels.Tests;

[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.AllAndEmulatorWithoutWgmma))]
public sealed class AttentionTests(string backend, DType dtype) : OperationTests(backend, dtype)
{
    // The emulator of CUDA's kernels is fast enough for most of what is here.
    private bool Shortened => OnEmulator && BackendName == TestBackends.Emulator;

    public static IEnumerable<TestCaseData> Cases()
    {
        yield return new TestCaseData(1, 1, 2, new[] { 1 });
        yield return new TestCaseData(2, 1, 8, new[] { 3, 1, 5 });
        yield return new TestCaseData(4, 2, 16, new[] { 16, 17, 0, 33 });
        yield return new TestCaseData(6, 2, 20, new[] { 31, 2, 70 });
        yield return new TestCaseData(3, 3, 64, new[] { 40, 65 });
        yield return new TestCaseData(8, 2, 32, new[] { 1, 129, 15 });
        yield return new TestCaseData(2, 1, 128, new[] { 66, 3 });
        yield return new TestCaseData(2, 2, 40, new[] { 5, 66 });
        yield return new TestCaseData(1, 1, 5, new[] { 258 });
    }

    [TestCaseSource(nameof(Cases))]
    public void Forward_and_backward_are_right(int heads, int keyValueHeads, int width, int[] lengths)
    {
        // Where kernels put results together from parts of 64 and 256 keys, the emulator does so from parts of 16 and 64 for narrow heads.
        if (Shortened) lengths = [.. lengths.Select(length => Math.Min(length, width > 32 || heads == 1 ? 66 : 20))];
        // Not 1/√D, so that ignoring it shows.
        AttentionShape shape = new(heads, keyValueHeads, width, 0.7f / MathF.Sqrt(width));
        int[] starts = Starts(lengths);
        int tokens = starts[^1];
        (float[] qkv, float[] dy) = (Normal(1, tokens * shape.PackedHeads * width), Normal(2, tokens * heads * width));
        Tensor input = Lab.Floats(Dtype, qkv, tokens, shape.PackedHeads, width), offsets = Lab.Ints(starts);
        Tensor y = Lab.Output(Dtype, tokens, heads, width), logSumExp = Lab.Output(DType.F32, tokens, heads);
        Backend.Attention.Forward(y, logSumExp, input, offsets, shape);
        (double[] trueY, double[] trueNorm) = AttentionMirror<double>.Forward(Precision.Truth, Inputs.ToDouble(qkv), starts, shape);
        (float[] naiveY, float[] naiveNorm) = AttentionMirror<float>.Forward(Precision.Naive(Dtype), qkv, starts, shape);
        Close("y", Lab.Read(y), trueY, naiveY, Dtype);
        Close("logSumExp", Lab.Read(logSumExp), trueNorm, naiveNorm, DType.F32);

        Tensor dQkv = Lab.Output(Dtype, tokens, shape.PackedHeads, width), upstream = Lab.Floats(Dtype, dy, tokens, heads, width);
        Tensor scratch = Lab.Scratch(Backend.Attention.BackwardScratchBytes(tokens, lengths.Max(), shape, Dtype));
        Backend.Attention.Backward(dQkv, upstream, y, logSumExp, input, offsets, shape, scratch);
        Close("dQkv", Lab.Read(dQkv), AttentionMirror<double>.Backward(Precision.Truth, Inputs.ToDouble(dy), Inputs.ToDouble(qkv), starts, shape),
            AttentionMirror<float>.Backward(Precision.Naive(Dtype), dy, qkv, starts, shape), Dtype);
    }

    [TestCase(2, 1, 136, 40), TestCase(3, 1, 251, 66), TestCase(1, 1, 256, 70)]
    public void Heads_of_more_than_128_elements_are_right_or_refused(int heads, int keyValueHeads, int width, int length)
    {
        if (BackendName != TestBackends.Emulator)
        {
            Forward_and_backward_are_right(heads, keyValueHeads, width, [length, 3]);
            Prefill_chunks_and_decoding_have_the_bits_of_the_packed_forward_pass(heads, keyValueHeads, width);
            return;
        }

        AttentionShape shape = new(heads, keyValueHeads, width, 1);
        Tensor y = Lab.Output(Dtype, 1, heads, width), logSumExp = Lab.Output(DType.F32, 1, heads), qkv = Lab.Output(Dtype, 1, shape.PackedHeads, width);
        Assert.That(() => Backend.Attention.Forward(y, logSumExp, qkv, Lab.Ints(0, 1), shape), Throws.TypeOf<LuffyKernelException>());
    }

    [Test]
    public void Large_scores_do_not_overflow()
    {
        AttentionShape shape = new(1, 1, 4, 1);
        Tensor input = Lab.Floats(Dtype, [100, 0, 0, 0, 100, 0, 0, 0, 1, 2, 3, 4, 100, 0, 0, 0, -100, 0, 0, 0, 5, 6, 7, 8], 2, 3, 4);
        Tensor y = Lab.Output(Dtype, 2, 1, 4), logSumExp = Lab.Output(DType.F32, 2, 1);
        Backend.Attention.Forward(y, logSumExp, input, Lab.Ints(0, 2), shape);
        Assert.That(Lab.Read(y), Is.EqualTo(new float[] { 1, 2, 3, 4, 1, 2, 3, 4 }));
        Assert.That(Lab.Read(logSumExp), Is.EqualTo(new float[] { 10000, 10000 }));
    }

    [TestCase(4, 2, 16), TestCase(3, 1, 20), TestCase(2, 2, 64), TestCase(7, 1, 128), TestCase(9, 1, 3), TestCase(1, 1, 40), TestCase(18, 1, 3)]
    public void Prefill_chunks_and_decoding_have_the_bits_of_the_packed_forward_pass(int heads, int keyValueHeads, int width)
    {
        AttentionShape shape = new(heads, keyValueHeads, width, 1 / MathF.Sqrt(width));
        int[] lengths = Shortened ? [2, 19, 35] : OnEmulator ? [2, 19, 67] : [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200], starts = Starts(lengths);
        int tokens = starts[^1];
        Tensor qkv = Lab.Floats(Dtype, Normal(1, tokens * shape.PackedHeads * width), tokens, shape.PackedHeads, width);
        Tensor packed = Lab.Output(Dtype, tokens, heads, width), logSumExp = Lab.Output(DType.F32, tokens, heads);
        Backend.Attention.Forward(packed, logSumExp, qkv, Lab.Ints(starts), shape);
        float[] expected = Lab.Read(packed);

        PagedBatch paged = new(Lab, Dtype, shape, qkv, lengths, seed: 3);
        foreach (int chunk in OnEmulator ? [1, 16, 1000] : (int[])[1, 5, 16, 64, 1000])
        {
            float[] actual = new float[expected.Length];
            for (int done = 0; done < lengths.Max(); done += chunk) paged.Advance(actual, done, chunk);
            Expect.SameBits($"y in chunks of {chunk}", actual, expected);
        }
    }

    [TestCase(2, 1, 6), TestCase(1, 1, 64), TestCase(3, 1, 12)]
    public void Decoding_after_a_long_prompt_has_the_bits_of_the_packed_forward_pass(int heads, int keyValueHeads, int width)
    {
        AttentionShape shape = new(heads, keyValueHeads, width, 1 / MathF.Sqrt(width));
        int prompt = Shortened && width <= 32 ? 61 : 253;
        int[] lengths = [prompt + 9, 30];
        int tokens = lengths.Sum();
        Tensor qkv = Lab.Floats(Dtype, Normal(1, tokens * shape.PackedHeads * width), tokens, shape.PackedHeads, width);
        Tensor packed = Lab.Output(Dtype, tokens, heads, width), logSumExp = Lab.Output(DType.F32, tokens, heads);
        Backend.Attention.Forward(packed, logSumExp, qkv, Lab.Ints(Starts(lengths)), shape);
        float[] expected = Lab.Read(packed), actual = new float[expected.Length];
        PagedBatch paged = new(Lab, Dtype, shape, qkv, lengths, seed: 5);
        paged.Advance(actual, 0, prompt);
        for (int done = prompt; done < lengths[0]; done++) paged.Advance(actual, done, 1);
        Expect.SameBits("y", actual, expected);
    }

    [Test]
    public void A_sequence_alone_has_the_bits_that_it_has_in_a_batch()
    {
        AttentionShape shape = new(4, 2, 24, 0.2f);
        int[] starts = Starts(Shortened ? [11, 1, 20, 5] : [40, 1, 77, 18]);
        int tokens = starts[^1];
        Tensor qkv = Lab.Floats(Dtype, Normal(1, tokens * shape.PackedHeads * 24), tokens, shape.PackedHeads, 24);
        Tensor dy = Lab.Floats(Dtype, Normal(2, tokens * 4 * 24), tokens, 4, 24);
        (Tensor y, Tensor dQkv) = Run(qkv, dy, starts);
        for (int s = 0; s < 4; s++)
        {
            int length = starts[s + 1] - starts[s];
            (Tensor alone, Tensor dAlone) = Run(qkv.Rows(starts[s], length), dy.Rows(starts[s], length), [0, length]);
            Expect.SameBits($"y of sequence {s}", Lab.Read(alone), Lab.Read(y.Rows(starts[s], length)));
            Expect.SameBits($"dQkv of sequence {s}", Lab.Read(dAlone), Lab.Read(dQkv.Rows(starts[s], length)));
        }

        (Tensor Y, Tensor DQkv) Run(in Tensor input, in Tensor upstream, int[] offsets)
        {
            Tensor result = Lab.Output(Dtype, input.D0, 4, 24), norm = Lab.Output(DType.F32, input.D0, 4), gradient = Lab.Output(Dtype, input.D0, 8, 24);
            Backend.Attention.Forward(result, norm, input, Lab.Ints(offsets), shape);
            Backend.Attention.Backward(gradient, upstream, result, norm, input, Lab.Ints(offsets), shape,
                Lab.Scratch(Backend.Attention.BackwardScratchBytes(input.D0, 77, shape, Dtype)));
            return (result, gradient);
        }
    }

    [Test]
    public void Copied_pages_hold_what_their_source_held()
    {
        AttentionShape shape = new(2, 1, 16, 0.25f);
        const int length = 40;
        Tensor qkv = Lab.Floats(Dtype, Normal(1, length * 4 * 16), length, 4, 16);
        PagedBatch paged = new(Lab, Dtype, shape, qkv, [length], seed: 4);
        float[] expected = new float[length * 2 * 16], actual = new float[length * 2 * 16];
        paged.Advance(expected, 0, length);
        paged.MoveToFreshPages();
        paged.Read(actual);
        Expect.SameBits("y", actual, expected);
    }

    private static int[] Starts(int[] lengths) => [0, .. lengths.Select((_, i) => lengths[..(i + 1)].Sum())];
}
