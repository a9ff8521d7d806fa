namespace Luffy.Kernels.Tests;

/// <summary>Shapes of <see cref="EveryOperation"/>: three sequences, of at most three pages each.</summary>
public sealed record EveryShape(int Width, int Inner, int Vocabulary, AttentionShape Attention, int[] Lengths)
{
    /// <summary>With work for several threads.</summary>
    public static readonly EveryShape Large = new(96, 80, 333, new(6, 2, 16, 0.25f), [33, 1, 41]);

    /// <summary>For an emulator: still with more than one tile, page and block of the vocabulary.</summary>
    public static readonly EveryShape Small = new(10, 8, 67, new(2, 1, 4, 0.5f), [17, 1, 2]);
}

/// <summary>
/// One call of every operation on fixed inputs, large enough to be split among threads: what invariance and allocation are tested on.
/// </summary>
public sealed class EveryOperation
{
    private const int Pages = 12;
    private readonly List<(string Name, Tensor Tensor)> _outputs = [];
    private readonly List<(string Name, Action Call)> _calls = [];

    public EveryOperation(Lab lab, DType dtype, EveryShape shapes)
    {
        IBackend backend = lab.Backend;
        (int width, int inner, int vocabulary, AttentionShape shape, int[] lengths) = shapes;
        int tokens = lengths.Sum(), heads = shape.Heads, keyValueHeads = shape.KeyValueHeads, headDim = shape.HeadDim;
        int seed = 1;
        int[] starts = [0, lengths[0], lengths[0] + lengths[1], tokens];

        Tensor ids = lab.Ints(Inputs.Ids(1, tokens, vocabulary)), table = Floats(vocabulary, width), x = Out("embedding", tokens, width);
        LinearWeight embedding = lab.PackedAlone(table);
        Add("Embedding.Forward", () => backend.Embedding.Forward(x, embedding, ids));
        Tensor dTable = Sum("dEmbedding", vocabulary, width), dx = Floats(tokens, width);
        Add("Embedding.Backward", () => backend.Embedding.Backward(dTable, dx, ids));

        Tensor w = Floats(inner, width), b = Floats(inner), y = Out("linear", tokens, inner), dy = Floats(tokens, inner);
        LinearWeight weight = lab.Packed(w);
        Add("Linear.Forward", () => backend.Linear.Forward(y, x, weight, b));
        Add("Linear.Pack", () => backend.Linear.Pack(weight.Packed, w));
        Tensor unpacked = Out("unpacked", inner - 3, width);
        Add("Linear.Unpack", () => backend.Linear.Unpack(unpacked, weight, 3));
        Tensor dInput = Out("linear dx", tokens, width), dWeight = Sum("linear dW", inner, width), dBias = Sum("linear db", inner);
        Add("Linear.BackwardInput", () => backend.Linear.BackwardInput(dInput, dy, weight));
        LinearWeight packed = lab.PackedAlone(w);
        Tensor dInput2 = Out("linear dx of the packed weight", tokens, width);
        Add("Linear.BackwardInput, packed", () => backend.Linear.BackwardInput(dInput2, dy, packed));
        Add("Linear.BackwardWeight", () => backend.Linear.BackwardWeight(dWeight, dBias, dy, x));

        Tensor norm = Floats(width), normed = Out("norm", tokens, width), total = Out("sum", tokens, width), rstd = Out("rstd", DType.F32, tokens);
        Tensor dNormed = Out("dNorm", tokens, width), dNorm = Sum("dNorm weight", width), dNormed2 = Out("dNorm add", tokens, width);
        Add("RmsNorm.Forward", () => backend.RmsNorm.Forward(normed, rstd, x, norm, 1e-5f));
        Add("RmsNorm.AddForward", () => backend.RmsNorm.AddForward(normed, total, rstd, x, dx, norm, 1e-5f));
        Add("RmsNorm.Backward", () => backend.RmsNorm.Backward(dNormed, dNorm, dx, total, rstd, norm));
        Add("RmsNorm.AddBackward", () => backend.RmsNorm.AddBackward(dNormed2, dNorm, dx, x, total, rstd, norm));

        Tensor qkv = Floats(tokens, shape.PackedHeads, headDim), angles = lab.Floats(DType.F32, Inputs.Normal(90, DType.F32, 50 * headDim), 50, headDim);
        Tensor positions = lab.Ints(Inputs.Ids(2, tokens, 50)), sequences = lab.Ints(starts);
        _outputs.Add(("qkv", qkv));
        Add("Rope.Forward", () => backend.Rope.Forward(qkv, positions, angles, heads + keyValueHeads));
        Tensor attended = Out("attention", tokens, heads, headDim), normalizer = Out("logSumExp", DType.F32, tokens, heads), dAttended = Floats(tokens, heads, headDim);
        Tensor dQkv = Out("dQkv", tokens, shape.PackedHeads, headDim);
        Tensor scratch = lab.Scratch(backend.Attention.BackwardScratchBytes(tokens, lengths.Max(), shape, dtype));
        Add("Attention.Forward", () => backend.Attention.Forward(attended, normalizer, qkv, sequences, shape));
        Add("Attention.Backward", () => backend.Attention.Backward(dQkv, dAttended, attended, normalizer, qkv, sequences, shape, scratch));
        Add("Rope.Backward", () => backend.Rope.Backward(dQkv, positions, angles, heads + keyValueHeads));

        Tensor cache = lab.Scratch(backend.Attention.CacheBytes(Pages, shape, dtype)), paged = Out("paged attention", tokens, heads, headDim);
        int[] rows = [5, 2, 7, 0, 0, 0, 1, 3, 4];
        Tensor pageTable = lab.Ints(rows, 3, 3), contexts = lab.Ints(lengths), copies = lab.Ints([5, 8, 2, 9], 2, 2);
        int[] places = [.. from s in Enumerable.Range(0, 3)
            from i in Enumerable.Range(0, lengths[s])
            select (rows[(3 * s) + (i / IAttention.PageSize)] * IAttention.PageSize) + (i % IAttention.PageSize)];
        Tensor slots = lab.Ints(places);
        Add("Attention.StoreKeyValue", () => backend.Attention.StoreKeyValue(cache, qkv, slots, Pages, shape));
        Add("Attention.ForwardPaged", () => backend.Attention.ForwardPaged(paged, qkv, cache, pageTable, sequences, contexts, Pages, shape));
        Add("Attention.CopyPages", () => backend.Attention.CopyPages(cache, copies, Pages, shape, dtype));

        Tensor gateUp = Floats(tokens, 2 * inner), activated = Out("swiglu", tokens, inner), dGateUp = Out("dSwiglu", tokens, 2 * inner);
        Add("SwiGlu.Forward", () => backend.SwiGlu.Forward(activated, gateUp));
        Add("SwiGlu.Backward", () => backend.SwiGlu.Backward(dGateUp, dy, gateUp));

        Tensor taken = Out("taken columns", tokens, inner - 3), edited = Out("edited columns", tokens, 2 * inner);
        Add("Columns.Take", () => backend.Columns.Take(taken, gateUp, 2, 0.5f));
        Add("Columns.Put", () => backend.Columns.Put(edited, taken, 3));
        Add("Columns.Add", () => backend.Columns.Add(edited, taken, 1, 0.7f));

        PolicyBatch batch = PolicyBatch.Random(5, dtype, tokens, width, vocabulary);
        Tensor hidden = lab.Floats(dtype, batch.Hidden, tokens, width), dHidden = Out("dHidden", tokens, width), dHead = Sum("dHead", vocabulary, width);
        Tensor statistics = Out("statistics", DType.F32, 8, tokens), logProbs = Out("log-probs", DType.F32, 8, tokens);
        LinearWeight head = lab.Packed(lab.Floats(dtype, batch.Head, vocabulary, width));
        Tensor targets = lab.Ints(batch.Targets), lossScratch = lab.Scratch(backend.PolicyLoss.ScratchBytes(tokens, width, vocabulary, dtype));
        PolicyTokens policy = new(targets, Single(batch.Advantages), Single(batch.OldLogProbs), lab.Ints(batch.OffPolicy), Single(batch.Weights),
            Single(batch.BehaviorLogProbs!), Single(batch.ReferenceLogProbs!));
        PolicyLossOptions options = new() { EntropyCoefficient = .1f, KlCoefficient = .1f, Clip = true };
        Add("PolicyLoss.LogProb", () => backend.PolicyLoss.LogProb(logProbs, hidden, head, targets, .9f, lossScratch));
        Add("PolicyLoss.ForwardBackward", () => backend.PolicyLoss.ForwardBackward(dHidden, dHead, statistics, hidden, head, policy, options, lossScratch));

        Tensor logits = Out("logits", DType.F32, tokens, vocabulary), drawn = Out("tokens", DType.I32, tokens), full = Out("sampled", DType.F32, tokens);
        Tensor kept = Out("kept", DType.F32, tokens), keys = lab.Ints(Inputs.Ids(3, 3 * tokens, 1000), tokens, 3);
        Tensor sampleScratch = lab.Scratch(backend.Sampling.ScratchBytes(tokens, vocabulary));
        Add("Linear.Forward to logits", () => backend.Linear.Forward(logits, hidden, head));
        Add("Sampling.Sample", () => backend.Sampling.Sample(drawn, full, kept, logits, keys, new SamplingOptions(.9f, 50, .95f, .01f, 9), sampleScratch));

        int masterRows = vocabulary, masterColumns = (2 * inner) - 9;
        Tensor gradient = lab.Floats(DType.F32, Inputs.Normal(91, DType.F32, masterRows * masterColumns), masterRows, masterColumns), result = Out("norm²", DType.F32, 1);
        long normBytes = backend.AdamW.SquaredNormScratchBytes(gradient.Length);
        Tensor normScratch = normBytes == 0 ? default : lab.Scratch(normBytes);
        Add("AdamW.SquaredNorm", () => backend.AdamW.SquaredNorm(result, gradient, normScratch));
        foreach ((bool isPacked, DType moments) in from asPacked in (bool[])[false, true]
                                                   from storage in dtype == DType.Bf16 ? (DType[])[DType.F32, DType.Bf16] : [DType.F32]
                                                   select (asPacked, storage))
        {
            var master = new MasterWeights(lab, dtype, Inputs.Normal(92, DType.F32, masterRows * masterColumns), masterRows, masterColumns, isPacked, moments);
            string form = (isPacked ? " packed" : "") + (moments == DType.Bf16 ? " rounded" : "");
            _outputs.AddRange([("weights" + form, master.Weights), ("m" + form, master.First), ("v" + form, master.Second)]);
            if (dtype == DType.Bf16) _outputs.Add(("remainders" + form, master.Remainders));
            Add("AdamW.Update" + form, () => master.Update(gradient, new AdamWOptions(.1f, .9f, .99f, 1e-8f, .1f, 1)));
        }

        Tensor copy = Out("copy", DType.F32, tokens, width);
        Add("Copy", () => backend.Copy(copy, normed));

        Tensor Floats(long d0, long d1 = 1, long d2 = 1) => lab.Floats(dtype, Inputs.Normal(seed++, dtype, (int)(d0 * d1 * d2)), d0, d1, d2);
        Tensor Single(float[] array) => lab.Floats(DType.F32, array, array.Length);
        Tensor Out(string name, params object[] dimensions) => Named(name, lab, dtype, dimensions);
        Tensor Sum(string name, long d0, long d1 = 1)
        {
            Tensor tensor = lab.Floats(DType.F32, new float[d0 * d1], d0, d1);
            _outputs.Add((name, tensor));
            return tensor;
        }
    }

    /// <summary>The calls, in order; each depends on those before it.</summary>
    public IReadOnlyList<(string Name, Action Call)> Calls => _calls;

    /// <summary>Every output as bits.</summary>
    public Dictionary<string, byte[]> Bits(Lab lab) => _outputs.ToDictionary(output => output.Name, output => output.Tensor.DType switch
    {
        DType.I32 => [.. lab.ReadInts(output.Tensor).SelectMany(BitConverter.GetBytes)],
        DType.U8 => lab.ReadBytes(output.Tensor),
        _ => lab.Read(output.Tensor).SelectMany(BitConverter.GetBytes).ToArray(),
    });

    private void Add(string name, Action call) => _calls.Add((name, call));

    private Tensor Named(string name, Lab lab, DType dtype, object[] dimensions)
    {
        if (dimensions[0] is DType own) (dtype, dimensions) = (own, dimensions[1..]);
        long[] d = [.. dimensions.Select(Convert.ToInt64), 1, 1, 1];
        Tensor tensor = lab.Output(dtype, d[0], d[1], d[2]);
        _outputs.Add((name, tensor));
        return tensor;
    }
}
