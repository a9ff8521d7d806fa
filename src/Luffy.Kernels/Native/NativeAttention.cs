namespace Luffy.Kernels.Native;

/// <summary><see cref="IAttention"/> through the table of a native library.</summary>
internal sealed unsafe class NativeAttention(NativeContext context) : IAttention
{
    /// <inheritdoc/>
    public void Forward(in Tensor y, in Tensor logSumExp, in Tensor qkv, in Tensor sequenceStarts, in AttentionShape shape)
    {
        LfTensor a = context.Describe(y), b = context.Describe(logSumExp), c = context.Describe(qkv), d = context.Describe(sequenceStarts);
        LfAttentionShape nativeShape = new(shape);
        context.Check("Attention.Forward", context.Table->AttentionForward(context.Handle, &a, &b, &c, &d, &nativeShape));
    }

    /// <inheritdoc/>
    public long BackwardScratchBytes(long tokens, long maxLength, in AttentionShape shape, DType dtype)
    {
        LfAttentionShape nativeShape = new(shape);
        return context.Size("Attention.BackwardScratchBytes",
            context.Table->AttentionBackwardScratchBytes(context.Handle, tokens, maxLength, &nativeShape, (int)dtype));
    }

    /// <inheritdoc/>
    public void Backward(in Tensor dQkv, in Tensor dy, in Tensor y, in Tensor logSumExp, in Tensor qkv, in Tensor sequenceStarts,
        in AttentionShape shape, in Tensor scratch)
    {
        LfTensor a = context.Describe(dQkv), b = context.Describe(dy), c = context.Describe(y), d = context.Describe(logSumExp),
            e = context.Describe(qkv), f = context.Describe(sequenceStarts), g = context.Describe(scratch);
        LfAttentionShape nativeShape = new(shape);
        context.Check("Attention.Backward", context.Table->AttentionBackward(context.Handle, &a, &b, &c, &d, &e, &f, &nativeShape, &g));
    }

    /// <inheritdoc/>
    public long CacheBytes(long pages, in AttentionShape shape, DType dtype)
    {
        LfAttentionShape nativeShape = new(shape);
        return context.Size("Attention.CacheBytes", context.Table->AttentionCacheBytes(context.Handle, pages, &nativeShape, (int)dtype));
    }

    /// <inheritdoc/>
    public void StoreKeyValue(in Tensor cache, in Tensor qkv, in Tensor slots, long pages, in AttentionShape shape)
    {
        LfTensor a = context.Describe(cache), b = context.Describe(qkv), c = context.Describe(slots);
        LfAttentionShape nativeShape = new(shape);
        context.Check("Attention.StoreKeyValue", context.Table->AttentionStoreKeyValue(context.Handle, &a, &b, &c, pages, &nativeShape));
    }

    /// <inheritdoc/>
    public void CopyPages(in Tensor cache, in Tensor copies, long pages, in AttentionShape shape, DType dtype)
    {
        LfTensor a = context.Describe(cache), b = context.Describe(copies);
        LfAttentionShape nativeShape = new(shape);
        context.Check("Attention.CopyPages", context.Table->AttentionCopyPages(context.Handle, &a, &b, pages, &nativeShape, (int)dtype));
    }

    /// <inheritdoc/>
    public void ForwardPaged(in Tensor y, in Tensor qkv, in Tensor cache, in Tensor pageTable, in Tensor queryStarts,
        in Tensor contextLengths, long pages, in AttentionShape shape)
    {
        LfTensor a = context.Describe(y), b = context.Describe(qkv), c = context.Describe(cache), d = context.Describe(pageTable),
            e = context.Describe(queryStarts), f = context.Describe(contextLengths);
        LfAttentionShape nativeShape = new(shape);
        context.Check("Attention.ForwardPaged",
            context.Table->AttentionForwardPaged(context.Handle, &a, &b, &c, &d, &e, &f, pages, &nativeShape));
    }
}
