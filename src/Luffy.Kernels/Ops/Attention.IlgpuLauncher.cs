using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary>The kernels of attention for one storage and one kind of head.</summary>
internal interface IAttentionLauncher
{
    /// <inheritdoc cref="AttentionKernels.Forward"/>
    void Forward(in Tensor y, in Tensor logSumExp, in Tensor qkv, in Tensor starts, in AttentionShape shape);

    /// <summary>Gradients, with the scratch that <see cref="IAttention.BackwardScratchBytes"/> asks for.</summary>
    void Backward(in Tensor dQkv, in Tensor dy, in Tensor y, in Tensor logSumExp, in Tensor qkv, in Tensor starts, in AttentionShape shape, in Tensor scratch);

    /// <inheritdoc cref="AttentionKernels.ForwardPaged"/>
    void ForwardPaged(in Tensor y, in Tensor qkv, in Tensor cache, in Tensor table, in Tensor starts, in Tensor contexts, in AttentionShape shape);

    /// <summary>Keys of a chunk.</summary>
    int ChunkKeys { get; }

    /// <summary>The sequences of a batch that are decoded.</summary>
    void Decode(in Tensor y, in Tensor qkv, in Tensor cache, in Tensor table, in Tensor starts, in Tensor contexts, in DecodedBatch batch, int sequences,
        in AttentionShape shape, in Tensor workspace);
}

/// <inheritdoc/>
internal sealed class AttentionLauncher<T, TWidth>(IlgpuContext context) : IAttentionLauncher
    where T : unmanaged, IStorage<T>
    where TWidth : unmanaged, IHeadWidth
{
    private const int MergeThreads = 256;

    public int ChunkKeys => AttentionKernels.Chunk<TWidth>();

    public void Forward(in Tensor y, in Tensor logSumExp, in Tensor qkv, in Tensor starts, in AttentionShape shape) => context.Launch(
        AttentionKernels.Forward<T, TWidth>, Tiles(qkv, starts, shape, shape.Heads / shape.KeyValueHeads), context.View<T>(y),
        context.View<float>(logSumExp), context.View<T>(qkv), context.View<int>(starts), new AttentionGeometry(shape));

    public void Backward(in Tensor dQkv, in Tensor dy, in Tensor y, in Tensor logSumExp, in Tensor qkv, in Tensor starts, in AttentionShape shape,
        in Tensor scratch)
    {
        AttentionGeometry geometry = new(shape);
        Tensor delta = scratch.Buffer.View(scratch.ByteOffset, DType.F32, logSumExp.Length);
        context.Launch(AttentionKernels.BackwardDelta<T, TWidth>, context.Rows((delta.Length + AttentionKernels.DeltaRows - 1) / AttentionKernels.DeltaRows),
            context.View<float>(delta), context.View<T>(dy), context.View<T>(y), shape.HeadDim);
        context.Launch(AttentionKernels.BackwardQuery<T, TWidth>, Tiles(qkv, starts, shape, geometry.Group), context.View<T>(dQkv), context.View<T>(dy),
            context.View<float>(logSumExp), context.View<float>(delta), context.View<T>(qkv), context.View<int>(starts), geometry);
        context.Launch(AttentionKernels.BackwardKeyValue<T, TWidth>, Tiles(qkv, starts, shape, 1), context.View<T>(dQkv), context.View<T>(dy),
            context.View<float>(logSumExp), context.View<float>(delta), context.View<T>(qkv), context.View<int>(starts), geometry);
    }

    public void ForwardPaged(in Tensor y, in Tensor qkv, in Tensor cache, in Tensor table, in Tensor starts, in Tensor contexts, in AttentionShape shape) =>
        context.Launch(AttentionKernels.ForwardPaged<T, TWidth>, Tiles(qkv, starts, shape, shape.Heads / shape.KeyValueHeads), context.View<T>(y),
            context.View<T>(qkv), context.View<T>(cache), context.View<int>(table), (int)table.RowLength, context.View<int>(starts),
            context.View<int>(contexts), new AttentionGeometry(shape));

    public void Decode(in Tensor y, in Tensor qkv, in Tensor cache, in Tensor table, in Tensor starts, in Tensor contexts, in DecodedBatch batch,
        int sequences, in AttentionShape shape, in Tensor workspace)
    {
        AttentionGeometry geometry = new(shape);
        long rows = (long)sequences * shape.KeyValueHeads * batch.RowsOfHead * batch.Chunks;
        Tensor outputs = workspace.Buffer.View(workspace.ByteOffset, DType.F32, rows, shape.HeadDim);
        Tensor statistics = workspace.Buffer.View(workspace.ByteOffset + outputs.Bytes, DType.F32, rows, AttentionKernels.Statistics);
        KernelConfig chunks = new(new Index3D(sequences * batch.TilesOfHead, shape.KeyValueHeads, batch.Chunks),
            new Index3D(context.GroupSize(AttentionKernels.DecodeThreads), 1, 1));
        context.Launch(AttentionKernels.DecodeChunk<T, TWidth>, chunks, context.View<float>(outputs), context.View<float>(statistics), context.View<T>(qkv),
            context.View<T>(cache), context.View<int>(table), context.View<int>(starts), context.View<int>(contexts), batch, geometry);
        KernelConfig heads = new(new Index3D(sequences, shape.KeyValueHeads, 1), new Index3D(context.GroupSize(MergeThreads), 1, 1));
        context.Launch(AttentionKernels.MergeChunks<T>, heads, context.View<T>(y), context.View<float>(outputs), context.View<float>(statistics),
            context.View<int>(starts), context.View<int>(contexts), batch, geometry);
    }

    private static KernelConfig Tiles(in Tensor qkv, in Tensor starts, in AttentionShape shape, int rowsOfToken) =>
        new(new Index3D(TilePlace.Count<TWidth>(qkv.D0, (int)starts.Length - 1, rowsOfToken), shape.KeyValueHeads, 1),
            new Index3D(SquareTile.Threads<TWidth>(), 1, 1));
}
