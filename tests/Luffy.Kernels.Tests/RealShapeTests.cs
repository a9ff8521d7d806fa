using Luffy.Kernels.Native;

namespace Luffy.Kernels.Tests;

/// <summary>
/// Shapes of real models on a real GPU: grids of many groups, tiles of every size, cut off at their ends. They are held against the cpu
/// backend, whose own tests hold it against the truth, and repeated, because a result that moves is a race. Emulators take small shapes
/// through the same tests.
/// </summary>
[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.Gpus))]
public sealed class RealShapeTests(string backend, DType dtype) : OperationTests(backend, dtype)
{
    private delegate List<(string Name, float[] Values)> Computation(Lab lab);

    private int Repetitions => OnEmulator ? 2 : 3;

    [Test]
    public void Linear()
    {
        foreach ((int rows, int n, int k) in OnEmulator ? [(5, 9, 7)] : ((int, int, int)[])[(1024, 1152, 896), (777, 4864, 896), (512, 896, 4864), (1, 3072, 512), (67, 1001, 333), (2048, 2048, 1536), (128, 1536, 8960)])
        {
            (float[] x, float[] w, float[] dy) = (Normal(1, rows * k), Normal(2, n * k, 1 / Math.Sqrt(k)), Normal(3, rows * n));
            Agree($"{rows}×{n}×{k}", lab =>
            {
                Tensor input = lab.Floats(Dtype, x, rows, k), weight = lab.Floats(Dtype, w, n, k), upstream = lab.Floats(Dtype, dy, rows, n);
                Tensor y = lab.Output(Dtype, rows, n), dx = lab.Output(Dtype, rows, k);
                Tensor dWeight = lab.Floats(DType.F32, new float[n * k], n, k), dBias = lab.Floats(DType.F32, new float[n], n);
                lab.Backend.Linear.Forward(y, input, lab.Packed(weight));
                lab.Backend.Linear.BackwardInput(dx, upstream, lab.Packed(weight));
                lab.Backend.Linear.BackwardWeight(dWeight, dBias, upstream, input);
                return [("y", lab.Read(y)), ("dx", lab.Read(dx)), ("dW", lab.Read(dWeight)), ("db", lab.Read(dBias))];
            });
        }
    }

    [Test]
    public void Some_rows_have_the_bits_that_they_have_among_many()
    {
        (int rows, int n, int k) = OnEmulator ? (9, 11, 13) : (1024, 1536, 896);
        Tensor x = Upload(Normal(1, rows * k), rows, k), y = Lab.Output(Dtype, rows, n);
        LinearWeight weight = Lab.PackedAlone(Upload(Normal(2, n * k), n, k));
        Backend.Linear.Forward(y, x, weight);
        foreach (int count in (int[])[1, 2, 7, 16, 33, 128, 500])
        {
            int start = Math.Min(rows / 3, rows - 1), some = Math.Min(count, rows - start);
            Tensor part = Lab.Output(Dtype, some, n);
            Backend.Linear.Forward(part, x.Rows(start, some), weight);
            Expect.SameBits($"{some} rows", Lab.Read(part), Lab.Read(y.Rows(start, some)));
        }
    }

    [Test]
    public void Attention()
    {
        foreach ((AttentionShape shape, int[] lengths) in OnEmulator
            ? [(new(4, 2, 8, .4f), [5, 0, 19])]
            : ((AttentionShape, int[])[])[(new(14, 2, 64, .125f), [1024, 511, 1, 300]), (new(12, 2, 128, .09f), [700, 333]), (new(4, 2, 128, .09f), [1, 2049]), (new(8, 8, 32, .2f), [129, 64, 65, 1000])])
        {
            int tokens = lengths.Sum();
            int[] starts = [0, .. lengths.Select((_, s) => lengths[..(s + 1)].Sum())];
            (float[] qkv, float[] dy) = (Normal(1, tokens * shape.PackedHeads * shape.HeadDim), Normal(2, tokens * shape.Heads * shape.HeadDim));
            Agree($"{shape}, {string.Join("+", lengths)}", lab =>
            {
                Tensor input = lab.Floats(Dtype, qkv, tokens, shape.PackedHeads, shape.HeadDim), offsets = lab.Ints(starts);
                Tensor upstream = lab.Floats(Dtype, dy, tokens, shape.Heads, shape.HeadDim);
                Tensor y = lab.Output(Dtype, tokens, shape.Heads, shape.HeadDim), norm = lab.Output(DType.F32, tokens, shape.Heads);
                Tensor dQkv = lab.Output(Dtype, tokens, shape.PackedHeads, shape.HeadDim);
                lab.Backend.Attention.Forward(y, norm, input, offsets, shape);
                lab.Backend.Attention.Backward(dQkv, upstream, y, norm, input, offsets, shape,
                    lab.Scratch(lab.Backend.Attention.BackwardScratchBytes(tokens, lengths.Max(), shape, Dtype)));
                return [("y", lab.Read(y)), ("logSumExp", lab.Read(norm)), ("dQkv", lab.Read(dQkv))];
            });
        }
    }

    [Test]
    public void Decoding_has_the_bits_of_the_packed_forward_pass()
    {
        AttentionShape shape = OnEmulator ? new(4, 2, 8, .4f) : new(14, 2, 64, .125f);
        int[] lengths = OnEmulator ? [3, 20] : [1500, 1, 640, 255];
        int tokens = lengths.Sum();
        int[] starts = [0, .. lengths.Select((_, s) => lengths[..(s + 1)].Sum())];
        Tensor qkv = Upload(Normal(1, tokens * shape.PackedHeads * shape.HeadDim), tokens, shape.PackedHeads, shape.HeadDim);
        Tensor y = Lab.Output(Dtype, tokens, shape.Heads, shape.HeadDim), norm = Lab.Output(DType.F32, tokens, shape.Heads);
        Backend.Attention.Forward(y, norm, qkv, Lab.Ints(starts), shape);
        float[] expected = Lab.Read(y);
        PagedBatch paged = new(Lab, Dtype, shape, qkv, lengths, seed: 3);
        // The longest but a token as one prompt, then token by token.
        int last = lengths.Max() - 1;
        float[] actual = new float[expected.Length];
        paged.Advance(actual, 0, last - 1);
        paged.Advance(actual, last - 1, 1);
        paged.Advance(actual, last, 1);
        Expect.SameBits("y", actual, expected);
    }

    [Test]
    public void Policy_loss()
    {
        foreach ((int rows, int width, int vocabulary) in OnEmulator ? [(5, 7, 40)] : ((int, int, int)[])[(1000, 512, 4096), (301, 896, 20011), (1, 256, 512), (512, 1536, 8192)])
        {
            PolicyBatch batch = RandomBatch(rows, width, vocabulary);
            PolicyLossOptions options = new() { EntropyCoefficient = .1f, KlCoefficient = .05f };
            Agree($"{rows}×{width}×{vocabulary}", lab =>
            {
                PolicyResult result = batch.Run(lab, Dtype, options, form: WeightForm.Packed);
                return [("log-prob", result.Statistic(TokenStatistic.LogProb)), ("entropy", result.Statistic(TokenStatistic.Entropy)),
                    ("dHidden", result.DHidden), ("dHead", result.DHead)];
            });
            PolicyResult whole = batch.LogProb(Lab, Dtype, 1), part = batch.Slice(rows / 2, (rows + 2) / 3).LogProb(Lab, Dtype, 1);
            Expect.SameBits("log-probs of some rows", part.Statistic(TokenStatistic.LogProb),
                whole.Statistic(TokenStatistic.LogProb)[(rows / 2)..((rows / 2) + ((rows + 2) / 3))]);
        }
    }

    [Test]
    public void Drawn_tokens_have_the_log_probs_of_the_loss_to_the_bit()
    {
        (int rows, int width, int vocabulary) = OnEmulator ? (3, 7, 50) : (64, 64, 151936);
        PolicyBatch batch = RandomBatch(rows, width, vocabulary);
        Tensor hidden = Upload(batch.Hidden, rows, width), logits = Lab.Output(DType.F32, rows, vocabulary), ids = Lab.Output(DType.I32, rows);
        Tensor logProbs = Lab.Output(DType.F32, rows), kept = Lab.Output(DType.F32, rows), statistics = Lab.Output(DType.F32, 8, rows);
        LinearWeight head = Lab.PackedAlone(Upload(batch.Head, vocabulary, width));
        Backend.Linear.Forward(logits, hidden, head);
        Backend.Sampling.Sample(ids, logProbs, kept, logits, Lab.Ints(Inputs.Ids(9, 3 * rows, 1000), rows, 3), new SamplingOptions(.9f, 0, 1, 0, 7),
            Lab.Scratch(Backend.Sampling.ScratchBytes(rows, vocabulary)));
        Backend.PolicyLoss.LogProb(statistics, hidden, head, ids, .9f, Lab.Scratch(Backend.PolicyLoss.ScratchBytes(rows, width, vocabulary, Dtype)));
        Expect.SameBits("log-prob", Lab.Read(statistics)[..rows], Lab.Read(logProbs));
    }

    [Test]
    public void Sampling()
    {
        (int rows, int vocabulary) = OnEmulator ? (3, 40) : (64, 151936);
        float[] logits = Inputs.Normal(1, DType.F32, rows * vocabulary, 2);
        int[] keys = Inputs.Ids(2, 3 * rows, 1000);
        foreach (SamplingOptions options in (SamplingOptions[])[new(1, 0, 1, 0, 7), new(.8f, 50, .9f, .01f, 7)])
        {
            List<int[]> drawn = [];
            Agree($"{rows}×{vocabulary}, {options}", lab =>
            {
                Tensor ids = lab.Output(DType.I32, rows), logProbs = lab.Output(DType.F32, rows), kept = lab.Output(DType.F32, rows);
                lab.Backend.Sampling.Sample(ids, logProbs, kept, lab.Floats(DType.F32, logits, rows, vocabulary), lab.Ints(keys, rows, 3), options,
                    lab.Scratch(lab.Backend.Sampling.ScratchBytes(rows, vocabulary)));
                drawn.Add(lab.ReadInts(ids));
                return [("log-probs", lab.Read(logProbs))];
            }, DType.F32);
            Assert.That(drawn, Has.All.EqualTo(drawn[0]), $"tokens, {options}");
        }
    }

    [Test]
    public void Norms_and_activations()
    {
        (int rows, int width, int inner, int heads) = OnEmulator ? (5, 33, 17, 3) : (1024, 896, 4864, 18);
        (float[] x, float[] delta, float[] dy, float[] weight) = (Normal(1, rows * width), Normal(2, rows * width), Normal(3, rows * width), Normal(4, width));
        (float[] gateUp, float[] dInner, float[] qkv) = (Normal(5, rows * 2 * inner), Normal(6, rows * inner), Normal(7, rows * heads * 64));
        float[] table = [.. Enumerable.Range(0, rows * 32).SelectMany(i => (float[])[MathF.Cos(i), MathF.Sin(i)])];
        Agree($"{rows} tokens", lab =>
        {
            Tensor y = lab.Output(Dtype, rows, width), sum = lab.Output(Dtype, rows, width), rstd = lab.Output(DType.F32, rows), dx = lab.Output(Dtype, rows, width);
            Tensor dWeight = lab.Floats(DType.F32, new float[width], width), w = lab.Floats(Dtype, weight, width), upstream = lab.Floats(Dtype, dy, rows, width);
            lab.Backend.RmsNorm.AddForward(y, sum, rstd, lab.Floats(Dtype, x, rows, width), lab.Floats(Dtype, delta, rows, width), w, 1e-6f);
            lab.Backend.RmsNorm.AddBackward(dx, dWeight, upstream, upstream, sum, rstd, w);
            Tensor inputs = lab.Floats(Dtype, gateUp, rows, 2 * inner), activated = lab.Output(Dtype, rows, inner), dGateUp = lab.Output(Dtype, rows, 2 * inner);
            lab.Backend.SwiGlu.Forward(activated, inputs);
            lab.Backend.SwiGlu.Backward(dGateUp, lab.Floats(Dtype, dInner, rows, inner), inputs);
            Tensor turned = lab.Floats(Dtype, qkv, rows, heads, 64);
            lab.Backend.Rope.Forward(turned, lab.Ints(Inputs.Ids(8, rows, rows)), lab.Floats(DType.F32, table, rows, 64), heads - 1);
            return [("norm", lab.Read(y)), ("dNorm", lab.Read(dx)), ("dNorm weight", lab.Read(dWeight)), ("swiglu", lab.Read(activated)),
                ("dSwiglu", lab.Read(dGateUp)), ("rope", lab.Read(turned))];
        });
    }

    [Test]
    public void Embedding()
    {
        (int tokens, int vocabulary, int width) = OnEmulator ? (40, 9, 5) : (8192, 20011, 896);
        (float[] table, float[] dy) = (Normal(1, vocabulary * width), Normal(2, tokens * width));
        int[] ids = Inputs.Ids(3, tokens, vocabulary);
        // One token is as frequent as all others together.
        for (int t = 0; t < tokens; t += 2) ids[t] = 7;
        Agree($"{tokens} of {vocabulary}×{width}", lab =>
        {
            Tensor y = lab.Output(Dtype, tokens, width), gradient = lab.Floats(DType.F32, new float[vocabulary * width], vocabulary, width), places = lab.Ints(ids);
            lab.Backend.Embedding.Forward(y, lab.PackedAlone(lab.Floats(Dtype, table, vocabulary, width)), places);
            lab.Backend.Embedding.Backward(gradient, lab.Floats(Dtype, dy, tokens, width), places);
            return [("y", lab.Read(y)), ("dWeight", lab.Read(gradient))];
        });
    }

    [Test]
    public void Adam()
    {
        (int rows, int columns) = OnEmulator ? (7, 33) : (3001, 896);
        (float[] start, float[] gradient) = (Inputs.Normal(1, DType.F32, rows * columns), Inputs.Normal(2, DType.F32, rows * columns));
        Agree($"{rows}×{columns}", lab =>
        {
            Tensor g = lab.Floats(DType.F32, gradient, rows, columns), norm = lab.Output(DType.F32, 1);
            long scratch = lab.Backend.AdamW.SquaredNormScratchBytes(g.Length);
            lab.Backend.AdamW.SquaredNorm(norm, g, scratch == 0 ? default : lab.Scratch(scratch));
            MasterWeights master = new(lab, Dtype, start, rows, columns, packed: true);
            master.Update(g, new AdamWOptions(.01f, .9f, .99f, 1e-8f, .1f, 1));
            master.Update(g, new AdamWOptions(.01f, .9f, .99f, 1e-8f, .1f, 2));
            return [("norm²", lab.Read(norm)), ("master", master.ReadMaster()), ("m", lab.Read(master.First)), ("v", master.ReadSecond())];
        }, DType.F32);
    }

    /// <summary>Elements beyond 2³¹ of a matrix on a device; their rows alone are uploaded.</summary>
    [Test]
    public void Matrices_may_have_more_elements_than_an_int_counts()
    {
        (int n, int k) = OnEmulator ? (30, 8) : (270_000, 8192);
        const int used = 3;
        using DeviceBuffer memory = Backend.Allocate("matrix", (long)n * k * Dtype.Size());
        Tensor matrix = memory.View(0, Dtype, n, k);
        float[] rows = Normal(1, used * k), x = Normal(2, k, .1);
        if (Dtype == DType.F32) Backend.Upload<float>(matrix.Rows(n - used, used), rows);
        else Backend.Upload<ushort>(matrix.Rows(n - used, used), Array.ConvertAll(rows, BFloat16.FromSingle));

        Tensor gathered = Lab.Output(Dtype, used, k);
        Backend.Embedding.Forward(gathered, new LinearWeight(matrix), Lab.Ints(n - 3, n - 2, n - 1));
        Expect.SameBits("gathered rows", Lab.Read(gathered), rows);
        Tensor y = Lab.Output(DType.F32, 1, n), few = Lab.Output(DType.F32, 1, used);
        Backend.Linear.Forward(y, Upload(x, 1, k), new LinearWeight(matrix));
        Backend.Linear.Forward(few, Upload(x, 1, k), new LinearWeight(gathered));
        Assert.That(Lab.Read(few), Has.None.Zero);
        Expect.SameBits("their products", Lab.Read(y)[^used..], Lab.Read(few));
        Assert.That(Lab.Read(y)[..^used], Has.All.Zero);
    }

    // Plain arrays: the batch of other tests knows its log-probs, which takes the host too long here.
    private PolicyBatch RandomBatch(int rows, int width, int vocabulary) => new()
    {
        Rows = rows,
        Width = width,
        Vocabulary = vocabulary,
        Hidden = Normal(1, rows * width),
        Head = Normal(2, vocabulary * width, 1.2 / Math.Sqrt(width)),
        Targets = Inputs.Ids(3, rows, vocabulary),
        Advantages = Inputs.Normal(4, DType.F32, rows),
        OldLogProbs = [.. Enumerable.Repeat(float.NaN, rows)],
        OffPolicy = [.. Enumerable.Range(0, rows).Select(r => r % 3 == 2 ? 1 : 0)],
        Weights = [.. Enumerable.Range(0, rows).Select(r => r % 7 == 5 ? 0 : 1f)],
        BehaviorLogProbs = null,
        ReferenceLogProbs = [.. Enumerable.Repeat(-(float)Math.Log(vocabulary), rows)],
    };

    private void Agree(string what, Computation compute, DType? storage = null)
    {
        using NativeBackend cpu = new("cpu", null, 0);
        using Lab expectedLab = new(cpu);
        List<(string Name, float[] Values)> expected = compute(expectedLab), first = [];
        for (int repetition = 0; repetition < Repetitions; repetition++)
        {
            using Lab lab = new(Backend);
            List<(string Name, float[] Values)> actual = compute(lab);
            for (int i = 0; i < expected.Count; i++)
            {
                if (repetition == 0) Expect.Agree($"{expected[i].Name} of {what}", actual[i].Values, expected[i].Values, storage ?? Dtype);
                else Expect.SameBits($"{expected[i].Name} of {what}, again", actual[i].Values, first[i].Values);
            }

            if (repetition == 0) first = actual;
        }
    }
}
