using Luffy.Kernels;

namespace Luffy.Engine.Model;

/// <summary>Activations of one layer for the current batch.</summary>
public readonly record struct LayerActivations(Tensor AttentionRstd, Tensor Qkv, HeadNormActivations? Queries, HeadNormActivations? Keys, Tensor AttentionOutput,
    Tensor LogSumExp, Tensor Middle, Tensor MlpRstd, Tensor GateUp);

/// <summary>What the norm of each head of the queries, or of the keys, reads [T·heads, D], and its 1/√(mean square) [T·heads].</summary>
public readonly record struct HeadNormActivations(Tensor Input, Tensor Rstd);

/// <summary>
/// The activations of an <see cref="ActivationPlan"/> in an arena, seen at the size of the current batch: <see cref="SetSize"/>, upload the
/// inputs, run. Several plans may share one arena where their passes do not overlap in time.
/// </summary>
public sealed class ActivationSet(ActivationPlan plan, DeviceBuffer arena)
{
    private readonly TransformerConfig _config = plan.Config;
    private readonly DType _dtype = plan.DType;

    /// <summary>The plan.</summary>
    public ActivationPlan Plan { get; } = plan;

    /// <summary>Tokens of the current batch (T).</summary>
    public int Tokens { get; private set; }

    /// <summary>Sequences of the current batch (S).</summary>
    public int Sequences { get; private set; }

    /// <summary>Rows of the current batch whose output is wanted (R).</summary>
    public int OutputRows { get; private set; }

    /// <summary>True where the backward pass computes each layer again.</summary>
    public bool Recompute => Plan.Shape.Recompute;

    public Tensor Ids => View(Plan.Ids, DType.I32, Tokens);

    public Tensor Positions => View(Plan.Positions, DType.I32, Tokens);

    public Tensor SequenceStarts => View(Plan.SequenceStarts, DType.I32, Sequences + 1);

    public Tensor Normed => Hidden(Plan.Normed);

    public Tensor MlpHidden => View(Plan.MlpHidden, _dtype, Tokens, _config.IntermediateSize);

    public Tensor Delta => Hidden(Plan.Delta);

    /// <summary>[T, width]: an adapter's input in its ranks, and then the gradient of that.</summary>
    public Tensor AdapterHidden(long width) => View(Plan.AdapterHidden, _dtype, Tokens, width);

    /// <summary>[T, rank]: the columns of <see cref="AdapterHidden"/> that belong to one projection.</summary>
    public Tensor AdapterPart(long rank) => View(Plan.AdapterPart, _dtype, Tokens, rank);

    /// <summary>[T, width]: what an adapter adds to an output or to the gradient of an input.</summary>
    public Tensor AdapterWide(long width) => View(Plan.AdapterWide, _dtype, Tokens, width);

    public Tensor FinalRstd => View(Plan.FinalRstd, DType.F32, Tokens);

    /// <summary>[T, H], normed.</summary>
    public Tensor Final => Hidden(Plan.Final);

    public Tensor OutputIndices => View(Plan.OutputIndices, DType.I32, OutputRows);

    public Tensor OutputHidden => View(Plan.OutputHidden, _dtype, OutputRows, _config.HiddenSize);

    public Tensor Targets => View(Plan.Targets, DType.I32, OutputRows);

    public Tensor Slots => View(Plan.Slots, DType.I32, Tokens);

    public Tensor PageTable => View(Plan.PageTable, DType.I32, Sequences, Plan.PagesPerSequence);

    public Tensor ContextLengths => View(Plan.ContextLengths, DType.I32, Sequences);

    public Tensor Logits => View(Plan.Logits, DType.F32, OutputRows, _config.VocabularySize);

    public Tensor SamplingKeys => View(Plan.SamplingKeys, DType.I32, OutputRows, 3);

    /// <summary>Token statistics [8, R].</summary>
    public Tensor Statistics => View(Plan.Statistics, DType.F32, 8, OutputRows);

    public Tensor DResidual => Hidden(Plan.DResidual);

    /// <summary>The gradient takes the place of what it belongs to.</summary>
    public Tensor DNormed => Normed;

    public Tensor DMlpHidden => MlpHidden;

    public Tensor DAttentionOutput => View(Plan.DAttentionOutput, _dtype, Tokens, _config.Heads, _config.HeadDim);

    public Tensor DQkv => View(Plan.DQkv, _dtype, Tokens, _config.PackedHeads, _config.HeadDim);

    public Tensor DOutputHidden => View(Plan.DOutputHidden, _dtype, OutputRows, _config.HiddenSize);

    public Tensor Scratch => View(Plan.Scratch, DType.U8, Plan.Scratch.Bytes);

    /// <summary>Sets the size of the current batch.</summary>
    /// <exception cref="InvalidOperationException">The plan has no room for it.</exception>
    public void SetSize(int tokens, int sequences, int outputRows)
    {
        ActivationShape s = Plan.Shape;
        if (tokens > s.Tokens || sequences > s.Sequences || outputRows > s.OutputRows)
        {
            throw new InvalidOperationException($"a batch of {tokens} tokens, {sequences} sequences and {outputRows} outputs does not fit " +
                $"the plan of {s.Tokens}, {s.Sequences} and {s.OutputRows}");
        }

        (Tokens, Sequences, OutputRows) = (tokens, sequences, outputRows);
    }

    /// <summary>The residual stream as layer <paramref name="layer"/> reads it; L stands for the final norm's input.</summary>
    public Tensor Residual(int layer) => Hidden(Plan.Residual[Math.Min(layer, Plan.Residual.Length - 1)]);

    /// <summary>Activations of a layer; the same memory for all layers where the plan keeps only one.</summary>
    public LayerActivations Layer(int layer)
    {
        LayerRegions r = Plan.Layers[Math.Min(layer, Plan.Layers.Length - 1)];
        return new LayerActivations(
            View(r.AttentionRstd, DType.F32, Tokens),
            View(r.Qkv, _dtype, Tokens, _config.PackedHeads, _config.HeadDim),
            HeadNorm(r.Queries, _config.Heads),
            HeadNorm(r.Keys, _config.KeyValueHeads),
            View(r.AttentionOutput, _dtype, Tokens, _config.Heads, _config.HeadDim),
            View(r.LogSumExp, DType.F32, Tokens, _config.Heads),
            Hidden(r.Middle),
            View(r.MlpRstd, DType.F32, Tokens),
            View(r.GateUp, _dtype, Tokens, 2L * _config.IntermediateSize));
    }

    /// <summary>One of the per-token inputs of the loss: [R], F32 or I32.</summary>
    public Tensor TokenInput(int index, DType dtype) =>
        arena.View(Plan.TokenInputs.Offset + (index * 4L * Plan.Shape.OutputRows), dtype, OutputRows);

    /// <summary>One of the three outputs of sampling: ids (I32), log-probs, log-probs among the kept tokens (F32), each [R].</summary>
    public Tensor Sampled(int index, DType dtype) =>
        arena.View(Plan.Sampled.Offset + (index * 4L * Plan.Shape.OutputRows), dtype, OutputRows);

    /// <summary>Pairs of pages to copy, [count, 2].</summary>
    public Tensor PageCopies(int count) => View(Plan.PageCopies, DType.I32, count, 2);

    private HeadNormActivations? HeadNorm(HeadNormRegions? regions, int heads) => regions is { } r
        ? new HeadNormActivations(View(r.Input, _dtype, Tokens * (long)heads, _config.HeadDim), View(r.Rstd, DType.F32, Tokens * (long)heads)) : null;

    private Tensor Hidden(in MemoryRegion region) => View(region, _dtype, Tokens, _config.HiddenSize);

    private Tensor View(in MemoryRegion region, DType dtype, long d0, long d1 = 1, long d2 = 1) =>
        arena.View(region.Offset, dtype, d0, d1, d2);
}
