namespace Luffy.Kernels;

/// <summary>
/// Argument checks of <see cref="IAttention"/> for the managed backends. What tensors hold is checked apart from their shapes, because each
/// backend reads integers in its own way, and only after their shapes are known to be right.
/// </summary>
internal static class AttentionChecks
{
    public static void Forward(string operation, in Tensor y, in Tensor logSumExp, in Tensor qkv, in Tensor sequenceStarts,
        in AttentionShape shape)
    {
        string? problem = Geometry(qkv, shape) ??
            (!Checks.IsMatrix(y, qkv.DType, qkv.D0, shape.Heads * shape.HeadDim) ? "y must be [T, Heads, D] of the dtype of qkv" :
            !Checks.IsMatrix(logSumExp, DType.F32, qkv.D0, shape.Heads) ? "logSumExp must be f32 [T, Heads]" :
            !IsStarts(sequenceStarts) ? "sequenceStarts must be i32 [S + 1]" : null);
        if (problem is null) return;
        throw Checks.Failure(operation, $"{problem}; {shape}", ("y", y), ("logSumExp", logSumExp), ("qkv", qkv), ("sequenceStarts", sequenceStarts));
    }

    /// <summary>After <see cref="Forward"/>: what the sequences' starts hold, and the shapes that the backward pass adds.</summary>
    public static void Backward(IAttention attention, in Tensor dQkv, in Tensor dy, in Tensor y, in Tensor logSumExp, in Tensor qkv,
        in Tensor sequenceStarts, ReadOnlySpan<int> starts, in AttentionShape shape, in Tensor scratch)
    {
        const string operation = "Attention.Backward";
        Checks.Starts(operation, "sequenceStarts", starts, qkv.D0);
        int longest = 0;
        for (int s = 0; s + 1 < starts.Length; s++) longest = Math.Max(longest, starts[s + 1] - starts[s]);
        string? problem =
            !Checks.IsMatrix(dQkv, qkv.DType, qkv.D0, qkv.RowLength) ? "dQkv must have the shape and dtype of qkv" :
            !Checks.IsMatrix(dy, qkv.DType, qkv.D0, y.RowLength) ? "dy must have the shape and dtype of y" :
            !Checks.IsBytes(scratch, attention.BackwardScratchBytes(qkv.D0, longest, shape, qkv.DType)) ? "scratch is too small" : null;
        if (problem is null) return;
        throw Checks.Failure(operation, $"{problem}; {shape}", ("dQkv", dQkv), ("dy", dy), ("y", y), ("logSumExp", logSumExp), ("qkv", qkv),
            ("sequenceStarts", sequenceStarts), ("scratch", scratch));
    }

    public static void StoreKeyValue(in Tensor cache, in Tensor qkv, in Tensor slots, long pages, long cacheBytes, in AttentionShape shape)
    {
        const string operation = "Attention.StoreKeyValue";
        string? problem = Geometry(qkv, shape) ??
            (!Checks.IsBytes(cache, cacheBytes) ? "cache is too small for its pages" :
            !Checks.IsVector(slots, DType.I32, qkv.D0) ? "slots must be i32 [T]" : null);
        if (problem is null) return;
        throw Checks.Failure(operation, $"{problem}; {pages} pages, {shape}", ("cache", cache), ("qkv", qkv), ("slots", slots));
    }

    /// <summary>Slots are those of the cache.</summary>
    public static void Slots(ReadOnlySpan<int> slots, long pages) => Checks.Range("Attention.StoreKeyValue", "slots", slots, pages * IAttention.PageSize);

    public static void CopyPages(in Tensor cache, in Tensor copies, long pages, long cacheBytes, in AttentionShape shape)
    {
        const string operation = "Attention.CopyPages";
        string? problem =
            !Checks.IsBytes(cache, cacheBytes) ? "cache is too small for its pages" :
            !copies.Exists || copies.DType != DType.I32 || copies.RowLength != 2 ? "copies must be i32 [n, 2]" : null;
        if (problem is null) return;
        throw Checks.Failure(operation, $"{problem}; {pages} pages, {shape}", ("cache", cache), ("copies", copies));
    }

    /// <summary>Copies are from pages of the cache to pages of the cache.</summary>
    public static void Copies(ReadOnlySpan<int> copies, long pages) => Checks.Range("Attention.CopyPages", "copies", copies, pages);

    public static void ForwardPaged(in Tensor y, in Tensor qkv, in Tensor cache, in Tensor pageTable,
        in Tensor queryStarts, in Tensor contextLengths, long pages, long cacheBytes, in AttentionShape shape)
    {
        const string operation = "Attention.ForwardPaged";
        string? problem = Geometry(qkv, shape) ??
            (!Checks.IsMatrix(y, qkv.DType, qkv.D0, shape.Heads * shape.HeadDim) ? "y must be [T, Heads, D] of the dtype of qkv" :
            !Checks.IsBytes(cache, cacheBytes) ? "cache is too small for its pages" :
            !IsStarts(queryStarts) ? "queryStarts must be i32 [S + 1]" :
            !Checks.IsVector(contextLengths, DType.I32, queryStarts.Length - 1) ? "contextLengths must be i32 [S]" :
            !pageTable.Exists || pageTable.DType != DType.I32 || pageTable.D0 != contextLengths.Length ? "pageTable must be i32 [S, P]" : null);
        if (problem is null) return;
        throw Checks.Failure(operation, $"{problem}; {pages} pages, {shape}", ("y", y), ("qkv", qkv), ("cache", cache), ("pageTable", pageTable),
            ("queryStarts", queryStarts), ("contextLengths", contextLengths));
    }

    /// <summary>Each context holds its queries, and its pages are there.</summary>
    /// <param name="starts">Queries of each sequence.</param>
    /// <param name="lengths">Keys of each sequence.</param>
    /// <param name="table">Rows of <paramref name="width"/> pages.</param>
    /// <param name="width">Pages of a row.</param>
    /// <param name="tokens">Queries.</param>
    /// <param name="pages">Pages of the cache.</param>
    public static void Contexts(ReadOnlySpan<int> starts, ReadOnlySpan<int> lengths, ReadOnlySpan<int> table, int width, long tokens, long pages)
    {
        const string operation = "Attention.ForwardPaged";
        Checks.Starts(operation, "queryStarts", starts, tokens);
        for (int s = 0; s < lengths.Length; s++)
        {
            int needed = (int)(((long)lengths[s] + IAttention.PageSize - 1) / IAttention.PageSize);
            if (lengths[s] < starts[s + 1] - starts[s] || needed > width)
            {
                throw new LuffyKernelException(operation,
                    $"contextLengths[{s}] is {lengths[s]}: it must hold the {starts[s + 1] - starts[s]} rows of this call and fit in {width} pages");
            }

            Checks.Range(operation, "pageTable", table.Slice(s * width, needed), pages);
        }
    }

    private static bool IsStarts(in Tensor starts) =>
        starts.Exists && starts.Length > 0 && Checks.IsVector(starts, DType.I32, starts.Length);

    private static string? Geometry(in Tensor qkv, in AttentionShape shape) =>
        shape.Heads < 1 || shape.KeyValueHeads < 1 || shape.HeadDim < 1 || shape.Heads % shape.KeyValueHeads != 0
            ? "heads must be a multiple of key-value heads, and all positive" :
        !(shape.Scale > 0) ? "scale must be positive" :
        !Checks.IsFloat(qkv) || qkv.RowLength != (long)shape.PackedHeads * shape.HeadDim
            ? "qkv must be f32 or bf16 [T, PackedHeads, D]" : null;
}
