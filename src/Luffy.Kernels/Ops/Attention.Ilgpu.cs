using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary>
/// <see cref="IAttention"/> on any GPU, for heads of up to 128 elements. Heads of 64 and 128 have kernels of their own; for those, tensors
/// should lie at multiples of 16 bytes.
/// </summary>
internal sealed class AttentionIlgpu : IAttention, IDisposable
{
    private const int MostHeadDim = 128, MostSmallHeadDim = 32;
    private const int Alignment = 16;

    private readonly IlgpuContext _context;
    private readonly IAttentionLauncher[] _single;
    private readonly IAttentionLauncher[] _half;
    private IlgpuBuffer _workspace;
    private int[] _starts = [];
    private int[] _contexts = [];

    public AttentionIlgpu(IlgpuContext context)
        : this(context, context.IsEmulator ? 1 << 20 : 32 << 20)
    {
    }

    internal AttentionIlgpu(IlgpuContext context, long workspaceBytes)
    {
        _context = context;
        _single = Launchers<F32Storage>(context);
        _half = Launchers<Bf16Storage>(context);
        _workspace = Workspace(workspaceBytes);
    }

    /// <summary>Bytes of the device that decoding holds, for what the chunks of keys leave until they are merged.</summary>
    public long WorkspaceBytes => _workspace.Bytes;

    /// <inheritdoc/>
    public void Forward(in Tensor y, in Tensor logSumExp, in Tensor qkv, in Tensor sequenceStarts, in AttentionShape shape)
    {
        const string operation = "Attention.Forward";
        AttentionChecks.Forward(operation, y, logSumExp, qkv, sequenceStarts, shape);
        CheckWidth(operation, shape);
        _context.CheckOwn(y, logSumExp, qkv, sequenceStarts);
        Checks.Starts(operation, "sequenceStarts", _context.Integers(sequenceStarts), qkv.D0);
        if (qkv.D0 > 0) Launcher(shape, y, qkv).Forward(y, logSumExp, qkv, sequenceStarts, shape);
    }

    /// <inheritdoc/>
    public long BackwardScratchBytes(long tokens, long maxLength, in AttentionShape shape, DType dtype) => tokens * shape.Heads * sizeof(float);

    /// <inheritdoc/>
    public void Backward(in Tensor dQkv, in Tensor dy, in Tensor y, in Tensor logSumExp, in Tensor qkv, in Tensor sequenceStarts,
        in AttentionShape shape, in Tensor scratch)
    {
        const string operation = "Attention.Backward";
        AttentionChecks.Forward(operation, y, logSumExp, qkv, sequenceStarts, shape);
        CheckWidth(operation, shape);
        _context.CheckOwn(dQkv, dy, y, logSumExp, qkv, sequenceStarts, scratch);
        AttentionChecks.Backward(this, dQkv, dy, y, logSumExp, qkv, sequenceStarts, _context.Integers(sequenceStarts), shape, scratch);
        if (qkv.D0 > 0) Launcher(shape, dQkv, dy, y, qkv).Backward(dQkv, dy, y, logSumExp, qkv, sequenceStarts, shape, scratch);
    }

    /// <inheritdoc/>
    public long CacheBytes(long pages, in AttentionShape shape, DType dtype) =>
        pages * IAttention.PageSize * 2 * shape.KeyValueHeads * shape.HeadDim * dtype.Size();

    /// <inheritdoc/>
    public void StoreKeyValue(in Tensor cache, in Tensor qkv, in Tensor slots, long pages, in AttentionShape shape)
    {
        AttentionChecks.StoreKeyValue(cache, qkv, slots, pages, CacheBytes(pages, shape, qkv.DType), shape);
        _context.CheckOwn(cache, qkv, slots);
        AttentionChecks.Slots(_context.Integers(slots), pages);
        if (qkv.DType == DType.F32) StoreKeyValue<F32Storage>(cache, qkv, slots, shape);
        else StoreKeyValue<Bf16Storage>(cache, qkv, slots, shape);
    }

    /// <inheritdoc/>
    public void CopyPages(in Tensor cache, in Tensor copies, long pages, in AttentionShape shape, DType dtype)
    {
        AttentionChecks.CopyPages(cache, copies, pages, CacheBytes(pages, shape, dtype), shape);
        _context.CheckOwn(cache, copies);
        AttentionChecks.Copies(_context.Integers(copies), pages);
        if (dtype == DType.F32) CopyPages<F32Storage>(cache, copies, shape);
        else CopyPages<Bf16Storage>(cache, copies, shape);
    }

    /// <inheritdoc/>
    public void ForwardPaged(in Tensor y, in Tensor qkv, in Tensor cache, in Tensor pageTable, in Tensor queryStarts, in Tensor contextLengths,
        long pages, in AttentionShape shape)
    {
        AttentionChecks.ForwardPaged(y, qkv, cache, pageTable, queryStarts, contextLengths, pages, CacheBytes(pages, shape, qkv.DType), shape);
        CheckWidth("Attention.ForwardPaged", shape);
        _context.CheckOwn(y, qkv, cache, pageTable, queryStarts, contextLengths);
        ReadOnlySpan<int> starts = Copied(ref _starts, queryStarts), contexts = Copied(ref _contexts, contextLengths);
        AttentionChecks.Contexts(starts, contexts, _context.Integers(pageTable), (int)pageTable.RowLength, qkv.D0, pages);

        int group = shape.Heads / shape.KeyValueHeads, decodedRows = 0, longest = 0;
        bool tiled = false;
        for (int s = 0; s < contexts.Length; s++)
        {
            int tokens = starts[s + 1] - starts[s];
            if (tokens == 0) continue;
            if (AttentionKernels.IsDecoded(tokens, group)) (decodedRows, longest) = (Math.Max(decodedRows, tokens * group), Math.Max(longest, contexts[s]));
            else tiled = true;
        }

        IAttentionLauncher launcher = Launcher(shape, y, qkv, cache);
        if (tiled) launcher.ForwardPaged(y, qkv, cache, pageTable, queryStarts, contextLengths, shape);
        if (decodedRows == 0) return;

        // As many sequences a launch as the workspace has room for.
        int chunks = (longest + launcher.ChunkKeys - 1) / launcher.ChunkKeys;
        long sequenceBytes = (long)shape.KeyValueHeads * decodedRows * chunks * (shape.HeadDim + AttentionKernels.Statistics) * sizeof(float);
        if (sequenceBytes > _workspace.Bytes)
        {
            // Half a million tokens, say: nobody plans for that, and nobody should be refused it.
            _context.Synchronize();
            _workspace.Dispose();
            _workspace = Workspace(sequenceBytes);
        }

        int together = (int)Math.Min(_workspace.Bytes / sequenceBytes, contexts.Length);
        for (int first = 0; first < contexts.Length; first += together)
        {
            launcher.Decode(y, qkv, cache, pageTable, queryStarts, contextLengths, new DecodedBatch(first, (int)pageTable.RowLength, decodedRows, chunks, launcher.ChunkKeys),
                Math.Min(together, contexts.Length - first), shape, _workspace.View(0, DType.U8, _workspace.Bytes));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _workspace.Dispose();

    private static IAttentionLauncher[] Launchers<T>(IlgpuContext context) where T : unmanaged, IStorage<T> =>
    [
        new AttentionLauncher<T, Width64>(context), new AttentionLauncher<T, Width128>(context), new AttentionLauncher<T, AnyWidth>(context),
        new AttentionLauncher<T, SmallWidth>(context),
    ];

    private static void CheckWidth(string operation, in AttentionShape shape)
    {
        if (shape.HeadDim > MostHeadDim)
            throw new LuffyKernelException(operation, $"heads have {shape.HeadDim} elements, and this backend takes at most {MostHeadDim}; {shape}");
    }

    private IAttentionLauncher Launcher(in AttentionShape shape, params ReadOnlySpan<Tensor> tensors)
    {
        bool aligned = true;
        foreach (ref readonly Tensor tensor in tensors) aligned &= tensor.ByteOffset % Alignment == 0;
        IAttentionLauncher[] launchers = tensors[0].DType == DType.F32 ? _single : _half;
        return launchers[
            aligned && shape.HeadDim == 64 ? 0 :
            aligned && shape.HeadDim == 128 ? 1 :
            _context.IsEmulator && shape.HeadDim <= MostSmallHeadDim ? 3 : 2];
    }

    private IlgpuBuffer Workspace(long bytes) => new(_context, "attention workspace", bytes);

    // The context lends one set of downloaded integers at a time.
    private ReadOnlySpan<int> Copied(ref int[] array, in Tensor integers)
    {
        ReadOnlySpan<int> values = _context.Integers(integers);
        if (array.Length < values.Length) array = new int[values.Length];
        values.CopyTo(array);
        return array.AsSpan(0, values.Length);
    }

    private void StoreKeyValue<T>(in Tensor cache, in Tensor qkv, in Tensor slots, in AttentionShape shape) where T : unmanaged, IStorage<T> =>
        _context.Launch(AttentionKernels.StoreKeyValue<T>, _context.RowElements(slots.Length, 2L * shape.KeyValueHeads * shape.HeadDim),
            _context.View<T>(cache), _context.View<T>(qkv), _context.View<int>(slots), new AttentionGeometry(shape));

    private void CopyPages<T>(in Tensor cache, in Tensor copies, in AttentionShape shape) where T : unmanaged, IStorage<T>
    {
        int elements = IAttention.PageSize * 2 * shape.KeyValueHeads * shape.HeadDim;
        _context.Launch(AttentionKernels.CopyPages<T>, _context.RowElements(copies.D0, elements), _context.View<T>(cache), _context.View<int>(copies), elements);
    }
}
