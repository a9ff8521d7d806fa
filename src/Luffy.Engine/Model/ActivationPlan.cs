using Luffy.Kernels;

namespace Luffy.Engine.Model;

/// <summary>What a pass through the model must be able to hold at once.</summary>
public sealed record ActivationShape
{
    /// <summary>Tokens of one packed batch.</summary>
    public required int Tokens { get; init; }

    /// <summary>Sequences of one packed batch.</summary>
    public required int Sequences { get; init; }

    /// <summary>Longest sequence.</summary>
    public required int MaxLength { get; init; }

    /// <summary>Rows whose log-prob or logits are wanted at once.</summary>
    public required int OutputRows { get; init; }

    /// <summary>True where a backward pass follows.</summary>
    public bool Training { get; init; }

    /// <summary>Keep only the residual stream of each layer, and compute the rest again in the backward pass (gradient checkpointing).</summary>
    public bool Recompute { get; init; }

    /// <summary>Bytes of other memory that is free while the loss is worked out; the plan keeps none for it where they suffice.</summary>
    public long LossScratchElsewhere { get; init; }

    /// <summary>True where keys are read from pages, and tokens are sampled.</summary>
    public bool Paged { get; init; }
}

/// <summary>A named range of bytes within one arena.</summary>
public readonly record struct MemoryRegion(string Name, long Offset, long Bytes);

/// <summary>Regions of one layer's activations, in the order in which the forward pass writes them.</summary>
public sealed record LayerRegions(MemoryRegion AttentionRstd, MemoryRegion Qkv, HeadNormRegions? Queries, HeadNormRegions? Keys,
    MemoryRegion AttentionOutput, MemoryRegion LogSumExp, MemoryRegion Middle, MemoryRegion MlpRstd, MemoryRegion GateUp);

/// <summary>What the norm of each head of the queries, or of the keys, reads, and its 1/√(mean square).</summary>
public readonly record struct HeadNormRegions(MemoryRegion Input, MemoryRegion Rstd);

/// <summary>
/// Every activation's place in memory: a pure function of model, shape and precision, computed before anything is allocated, allocated once,
/// and printed as the memory plan.
/// </summary>
public sealed class ActivationPlan
{
    private readonly List<MemoryRegion> _regions = [];

    /// <summary>Plans the activations of one kind of pass.</summary>
    public ActivationPlan(IBackendSizes backend, TransformerConfig config, DType dtype, ActivationShape shape)
    {
        (Config, DType, Shape) = (config, dtype, shape);
        long t = shape.Tokens, s = shape.Sequences, r = shape.OutputRows, h = config.HiddenSize, e = dtype.Size();
        AttentionShape attention = AttentionOf(config);
        PagesPerSequence = (shape.MaxLength + IAttention.PageSize - 1) / IAttention.PageSize;

        Ids = Add("ids", t * 4);
        Positions = Add("positions", t * 4);
        SequenceStarts = Add("sequence starts", (s + 1) * 4);
        Residual = new MemoryRegion[shape.Training ? config.Layers + 1 : 1];
        for (int l = 0; l < Residual.Length; l++) Residual[l] = Add($"residual {l}", t * h * e);
        Layers = new LayerRegions[shape.Training && !shape.Recompute ? config.Layers : 1];
        for (int l = 0; l < Layers.Length; l++) Layers[l] = AddLayer(l, t, config, e);
        Normed = Add("normed input", t * h * e);
        MlpHidden = Add("mlp hidden", t * config.IntermediateSize * e);
        Delta = Add("residual delta", t * h * e);
        if (config.Adapters is { } adapters)
        {
            long merged = Math.Max(adapters.CountOf(LowRankTarget.QProj, LowRankTarget.KProj, LowRankTarget.VProj), adapters.CountOf(LowRankTarget.GateProj, LowRankTarget.UpProj));
            AdapterHidden = Add("adapter hidden", t * Math.Max(1, merged) * adapters.Rank * e);
            if (merged > 1) AdapterPart = Add("adapter part", t * adapters.Rank * e);
            AdapterWide = Add("adapter output", t * Math.Max(Math.Max(h, config.IntermediateSize), (long)config.Heads * config.HeadDim) * e);
        }

        FinalRstd = Add("final rstd", t * 4);
        Final = Add("final hidden", t * h * e);

        OutputIndices = Add("output rows", r * 4);
        OutputHidden = Add("output hidden", r * h * e);
        Targets = Add("targets", r * 4);
        if (shape.Paged)
        {
            Slots = Add("slots", t * 4);
            PageTable = Add("page table", s * PagesPerSequence * 4);
            ContextLengths = Add("context lengths", s * 4);
            PageCopies = Add("page copies", s * 2 * 4);
            Logits = Add("logits", r * config.VocabularySize * 4);
            SamplingKeys = Add("sampling keys", r * 3 * 4);
            Sampled = Add("sampled ids and log-probs", r * 3 * 4);
            Scratch = Add("scratch", backend.SamplingScratchBytes(r, config.VocabularySize));
            return;
        }

        TokenInputs = Add("loss inputs", r * 6 * 4);
        Statistics = Add("token statistics", r * 8 * 4);
        long scratch = backend.PolicyLossScratchBytes(r, h, config.VocabularySize, dtype);
        LossScratchIsElsewhere = scratch <= shape.LossScratchElsewhere;
        if (LossScratchIsElsewhere) scratch = 0;
        if (shape.Training)
        {
            DResidual = Add("d residual", t * h * e);
            DAttentionOutput = Add("d attention output", t * config.Heads * config.HeadDim * e);
            DQkv = Add("d qkv", t * config.PackedHeads * config.HeadDim * e);
            DOutputHidden = Add("d output hidden", r * h * e);
            scratch = Math.Max(scratch, backend.AttentionBackwardScratchBytes(t, shape.MaxLength, attention, dtype));
        }

        Scratch = Add("scratch", scratch);
    }

    public TransformerConfig Config { get; }

    public DType DType { get; }

    public ActivationShape Shape { get; }

    /// <summary>True where the loss works in other memory.</summary>
    public bool LossScratchIsElsewhere { get; }

    /// <summary>Width of the page table.</summary>
    public int PagesPerSequence { get; }

    /// <summary>Size of the arena.</summary>
    public long Bytes { get; private set; }

    /// <summary>Every region, for the printed plan.</summary>
    public IReadOnlyList<MemoryRegion> Regions => _regions;

    public MemoryRegion Ids { get; }
    public MemoryRegion Positions { get; }
    public MemoryRegion SequenceStarts { get; }
    public MemoryRegion[] Residual { get; }
    public LayerRegions[] Layers { get; }

    /// <summary>A layer's normed input, which the backward pass works out again, and then its gradient.</summary>
    public MemoryRegion Normed { get; }

    /// <summary>The activated feed-forward layer, which the backward pass works out again, and then its gradient.</summary>
    public MemoryRegion MlpHidden { get; }
    public MemoryRegion Delta { get; }
    public MemoryRegion AdapterHidden { get; }
    public MemoryRegion AdapterPart { get; }
    public MemoryRegion AdapterWide { get; }
    public MemoryRegion FinalRstd { get; }
    public MemoryRegion Final { get; }
    public MemoryRegion OutputIndices { get; }
    public MemoryRegion OutputHidden { get; }
    public MemoryRegion Targets { get; }
    public MemoryRegion Slots { get; }
    public MemoryRegion PageTable { get; }
    public MemoryRegion ContextLengths { get; }
    public MemoryRegion PageCopies { get; }
    public MemoryRegion Logits { get; }
    public MemoryRegion SamplingKeys { get; }
    public MemoryRegion Sampled { get; }
    public MemoryRegion TokenInputs { get; }
    public MemoryRegion Statistics { get; }
    public MemoryRegion DResidual { get; }
    public MemoryRegion DAttentionOutput { get; }
    public MemoryRegion DQkv { get; }
    public MemoryRegion DOutputHidden { get; }
    public MemoryRegion Scratch { get; }

    /// <summary>The attention geometry of an architecture.</summary>
    public static AttentionShape AttentionOf(TransformerConfig config) =>
        new(config.Heads, config.KeyValueHeads, config.HeadDim, (float)(1 / Math.Sqrt(config.HeadDim)));

    private LayerRegions AddLayer(int l, long t, TransformerConfig c, long e) => new(
        Add($"layer {l} attention rstd", t * 4),
        Add($"layer {l} qkv", t * c.PackedHeads * c.HeadDim * e),
        c.QkNorm ? AddHeadNorm($"layer {l} queries", t * c.Heads, c.HeadDim * e) : null,
        c.QkNorm ? AddHeadNorm($"layer {l} keys", t * c.KeyValueHeads, c.HeadDim * e) : null,
        Add($"layer {l} attention output", t * c.Heads * c.HeadDim * e),
        Add($"layer {l} log-sum-exp", t * c.Heads * 4),
        Shape.Training ? Add($"layer {l} middle", t * c.HiddenSize * e) : Residual[0],
        Add($"layer {l} mlp rstd", t * 4),
        Add($"layer {l} gate and up", t * 2 * c.IntermediateSize * e));

    private HeadNormRegions AddHeadNorm(string name, long heads, long headBytes) =>
        new(Add(name + " before their norm", heads * headBytes), Add(name + " rstd", heads * 4));

    private MemoryRegion Add(string name, long bytes)
    {
        var region = new MemoryRegion(name, Bytes, bytes);
        _regions.Add(region);
        Bytes += (bytes + 63) / 64 * 64;
        return region;
    }
}
