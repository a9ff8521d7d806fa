using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels.Tests.Ilgpu;

/// <summary>
/// However many threads a group has, the bits are the same: sums are trees of a fixed shape. On a GPU groups are larger than on the emulator,
/// so this is also what makes tests there say something about GPUs.
/// </summary>
[TestFixture(DType.F32)]
[TestFixture(DType.Bf16)]
[NonParallelizable]
public sealed class GroupSizeTests(DType dtype)
{
    private const int Rows = 7, Width = 301, Vocabulary = 5;

    [Test]
    public void Results_do_not_depend_on_threads()
    {
        Dictionary<string, float[]> alone = Run(1);
        foreach (int threads in (int[])[2, 3, 16])
        {
            Dictionary<string, float[]> results = Run(threads);
            foreach ((string name, float[] expected) in alone) Expect.SameBits($"{name} with {threads} threads", results[name], expected);
        }
    }

    private Dictionary<string, float[]> Run(int threads)
    {
        using IlgpuBackend backend = new(IlgpuDevice.OpenEmulator(threads));
        Assert.That(backend.Threads, Is.EqualTo(threads));
        using Lab lab = new(backend);
        int seed = 1;
        Tensor x = Floats(Rows, Width), delta = Floats(Rows, Width), dy = Floats(Rows, Width), weight = Floats(Width, 1), ids = lab.Ints(4, 0, 4, 4, 1, 0, 3);
        Tensor y = Out(Width), sum = Out(Width), dx = Out(Width), gathered = Out(Width), rstd = lab.Output(DType.F32, Rows);
        Tensor dWeight = lab.Floats(DType.F32, new float[Width], Width), dTable = lab.Floats(DType.F32, new float[Vocabulary * Width], Vocabulary, Width);
        backend.Embedding.Forward(gathered, new(Floats(Vocabulary, Width)), ids);
        backend.Embedding.Backward(dTable, dy, ids);
        backend.RmsNorm.AddForward(y, sum, rstd, x, delta, weight, 1e-5f);
        backend.RmsNorm.AddBackward(dx, dWeight, dy, delta, sum, rstd, weight);

        Tensor qkv = Floats(Rows, 3 * 100), table = lab.Floats(DType.F32, Inputs.Normal(90, DType.F32, 5 * 100), 5, 100);
        backend.Rope.Forward(qkv, ids, table, 2);
        Tensor gateUp = Floats(Rows, 2 * Width), activated = Out(Width), dGateUp = Out(2 * Width);
        backend.SwiGlu.Forward(activated, gateUp);
        backend.SwiGlu.Backward(dGateUp, dy, gateUp);

        // Two ranges of the vocabulary, and all filters.
        Tensor logits = lab.Floats(DType.F32, Inputs.Normal(93, DType.F32, 2 * 2100, 2), 2, 2100), tokens = lab.Output(DType.I32, 2);
        Tensor logProbs = lab.Output(DType.F32, 2), kept = lab.Output(DType.F32, 2);
        backend.Sampling.Sample(tokens, logProbs, kept, logits, lab.Ints([1, 2, 3, 4, 5, 6], 2, 3), new SamplingOptions(.9f, 90, .9f, .01f, 7),
            lab.Scratch(backend.Sampling.ScratchBytes(2, 2100)));

        // Several blocks of the vocabulary.
        PolicyResult loss = PolicyBatch.Random(5, dtype, 3, 9, 150).LogProb(lab, dtype, .9f);

        Tensor gradient = lab.Floats(DType.F32, Inputs.Normal(91, DType.F32, 20_001), 20_001, 1), norm = lab.Output(DType.F32, 1);
        backend.AdamW.SquaredNorm(norm, gradient, lab.Scratch(backend.AdamW.SquaredNormScratchBytes(gradient.Length)));
        MasterWeights master = new(lab, dtype, Inputs.Normal(92, DType.F32, 20_001), 20_001, 1, packed: false);
        master.Update(gradient, new AdamWOptions(.1f, .9f, .99f, 1e-8f, .1f, 1));
        return new()
        {
            ["embedding"] = lab.Read(gathered),
            ["dEmbedding"] = lab.Read(dTable),
            ["norm"] = lab.Read(y),
            ["sum"] = lab.Read(sum),
            ["rstd"] = lab.Read(rstd),
            ["dNorm"] = lab.Read(dx),
            ["dNorm weight"] = lab.Read(dWeight),
            ["rope"] = lab.Read(qkv),
            ["swiglu"] = lab.Read(activated),
            ["dSwiglu"] = lab.Read(dGateUp),
            ["statistics"] = loss.Statistics,
            ["tokens"] = Array.ConvertAll(lab.ReadInts(tokens), token => (float)token),
            ["log-probs of tokens"] = lab.Read(logProbs),
            ["log-probs among kept tokens"] = lab.Read(kept),
            ["norm²"] = lab.Read(norm),
            ["master"] = master.ReadMaster(),
            ["m"] = lab.Read(master.First),
            ["v"] = lab.Read(master.Second),
        };

        Tensor Floats(int rows, int columns) => lab.Floats(dtype, Inputs.Normal(seed++, dtype, rows * columns), rows, columns);
        Tensor Out(int columns) => lab.Output(dtype, Rows, columns);
    }
}
