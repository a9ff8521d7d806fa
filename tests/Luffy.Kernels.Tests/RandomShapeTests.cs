using CsCheck;

namespace Luffy.Kernels.Tests;

/// <summary>Shapes that nobody thought of: each other backend beside the reference, which the other tests hold against the truth.</summary>
[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.NativeAndEmulator))]
public sealed class RandomShapeTests(string backend, DType dtype) : OperationTests(backend, dtype)
{
    private const string Seed = "0N0XIzNsQ0O2";

    private int Cases => OnEmulator ? 5 : 40;

    [Test]
    public void Linear_and_its_gradients() => Gen.Select(Gen.Int[1, UpTo(40)], Gen.Int[1, UpTo(150)], Gen.Int[1, UpTo(150)]).Sample((rows, n, k) => Agree(lab =>
    {
        Tensor x = lab.Floats(Dtype, Normal(1, rows * k), rows, k), w = lab.Floats(Dtype, Normal(2, n * k), n, k), dy = lab.Floats(Dtype, Normal(3, rows * n), rows, n);
        Tensor y = lab.Output(DType.F32, rows, n), dx = lab.Output(Dtype, rows, k), dw = lab.Floats(DType.F32, new float[n * k], n, k);
        lab.Backend.Linear.Forward(y, x, lab.Packed(w));
        lab.Backend.Linear.BackwardInput(dx, dy, lab.Packed(w));
        lab.Backend.Linear.BackwardWeight(dw, default, dy, x);
        return [lab.Read(y), lab.Read(dx), lab.Read(dw)];
    }), seed: Seed, iter: Cases, threads: 1);

    [Test]
    public void Attention_and_its_gradients() => Gen.Select(Gen.Int[0, UpTo(70)].Array[1, 4], Gen.Int[1, 3], Gen.Int[1, 3], Gen.Int[1, UpTo(40)]).Sample(
        (lengths, keyValueHeads, group, width) => Agree(lab =>
        {
            AttentionShape shape = new(keyValueHeads * group, keyValueHeads, width, 1 / MathF.Sqrt(width));
            int tokens = lengths.Sum();
            int[] starts = [0, .. lengths.Select((_, s) => lengths[..(s + 1)].Sum())];
            Tensor qkv = lab.Floats(Dtype, Normal(1, tokens * shape.PackedHeads * width), tokens, shape.PackedHeads, width);
            Tensor dy = lab.Floats(Dtype, Normal(2, tokens * shape.Heads * width), tokens, shape.Heads, width), offsets = lab.Ints(starts);
            Tensor y = lab.Output(Dtype, tokens, shape.Heads, width), norm = lab.Output(DType.F32, tokens, shape.Heads);
            Tensor dQkv = lab.Output(Dtype, tokens, shape.PackedHeads, width);
            lab.Backend.Attention.Forward(y, norm, qkv, offsets, shape);
            lab.Backend.Attention.Backward(dQkv, dy, y, norm, qkv, offsets, shape,
                lab.Scratch(lab.Backend.Attention.BackwardScratchBytes(tokens, lengths.Max(), shape, Dtype)));
            return [lab.Read(y), lab.Read(norm), lab.Read(dQkv)];
        }), seed: Seed, iter: Cases, threads: 1);

    [Test]
    public void Policy_loss() => Gen.Select(Gen.Int[1, UpTo(40)], Gen.Int[1, UpTo(70)], Gen.Int[1, UpTo(600)]).Sample((rows, width, vocabulary) => Agree(lab =>
    {
        PolicyResult result = PolicyBatch.Random(rows + vocabulary, Dtype, rows, width, vocabulary).Run(lab, Dtype, new() { EntropyCoefficient = .1f });
        return [result.Statistic(TokenStatistic.LogProb), result.Statistic(TokenStatistic.Entropy), result.DHidden, result.DHead];
    }), seed: Seed, iter: Cases, threads: 1);

    private int UpTo(int size) => OnEmulator ? size / 3 : size;

    /// <summary>The naive way is the reference in the same storage: errors here are within a few roundings of the largest value.</summary>
    private void Agree(Func<Lab, float[][]> run)
    {
        using ReferenceBackend reference = new();
        using Lab expectedLab = new(reference), actualLab = new(Backend);
        float[][] expected = run(expectedLab), actual = run(actualLab);
        Assert.That(actual, Has.Length.EqualTo(expected.Length));
        for (int i = 0; i < expected.Length; i++) Expect.Agree($"output {i}", actual[i], expected[i], Dtype);
    }
}
