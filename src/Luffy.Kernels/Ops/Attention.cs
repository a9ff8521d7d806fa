namespace Luffy.Kernels;

/// <summary>Geometry of grouped-query attention. Query head h reads key-value head h / (Heads / KeyValueHeads).</summary>
/// <param name="Heads">Query heads.</param>
/// <param name="KeyValueHeads">Key and value heads; divides <paramref name="Heads"/>.</param>
/// <param name="HeadDim">Elements of a head (D).</param>
/// <param name="Scale">Factor on q·k, positive, usually 1/√D.</param>
public readonly record struct AttentionShape(int Heads, int KeyValueHeads, int HeadDim, float Scale)
{
    /// <summary>Heads of one packed qkv row: queries, then keys, then values.</summary>
    public int PackedHeads => Heads + (2 * KeyValueHeads);
}

/// <summary>
/// Causal grouped-query attention over packed sequences of any lengths; the [T, T] matrix never exists. Scores, softmax and sums
/// are F32. Keys are taken in blocks of a fixed size that start at the sequence's first token, in ascending order, so that training,
/// prefill and decoding give a query the same bits.
/// <para>
/// With Bf16 storage a backend may round to Bf16 what the softmax hands on: the forward pass its numerators before they weigh
/// the values (their sum is of the unrounded ones), the backward pass p and ds before they are multiplied. Then sums may take
/// neighbouring elements, keys or queries in pairs from the start. The error against exact arithmetic stays within twice that of an
/// eager implementation that rounds every tensor to Bf16, the convention of FlashAttention (Dao, arXiv 2307.08691).
/// </para>
/// </summary>
public interface IAttention
{
    /// <summary>Tokens of one cache page.</summary>
    public const int PageSize = 16;

    /// <summary>Attention of every token to itself and the tokens before it in its sequence.</summary>
    /// <param name="y">[T, Heads, D] =.</param>
    /// <param name="logSumExp">[T, Heads] F32 =, of the scaled scores; kept for backward.</param>
    /// <param name="qkv">[T, PackedHeads, D], rotated.</param>
    /// <param name="sequenceStarts">[S + 1] I32 ascending from 0 to T.</param>
    /// <param name="shape">Geometry.</param>
    void Forward(in Tensor y, in Tensor logSumExp, in Tensor qkv, in Tensor sequenceStarts, in AttentionShape shape);

    /// <summary>
    /// Bytes of scratch that <see cref="Backward"/> needs for T tokens in batches whose longest sequence is
    /// <paramref name="maxLength"/>.
    /// </summary>
    long BackwardScratchBytes(long tokens, long maxLength, in AttentionShape shape, DType dtype);

    /// <summary>Gradients of queries, keys and values.</summary>
    /// <param name="dQkv">[T, PackedHeads, D] =.</param>
    /// <param name="dy">[T, Heads, D].</param>
    /// <param name="y">[T, Heads, D] of the forward pass.</param>
    /// <param name="logSumExp">[T, Heads] F32 of the forward pass.</param>
    /// <param name="qkv">[T, PackedHeads, D].</param>
    /// <param name="sequenceStarts">[S + 1] I32.</param>
    /// <param name="shape">Geometry.</param>
    /// <param name="scratch">[<see cref="BackwardScratchBytes"/>] U8.</param>
    void Backward(in Tensor dQkv, in Tensor dy, in Tensor y, in Tensor logSumExp, in Tensor qkv, in Tensor sequenceStarts,
        in AttentionShape shape, in Tensor scratch);

    /// <summary>Bytes of one layer's cache of <paramref name="pages"/> pages. The layout within a page belongs to the backend.</summary>
    long CacheBytes(long pages, in AttentionShape shape, DType dtype);

    /// <summary>Writes each token's key and value to its slot.</summary>
    /// <param name="cache">[<see cref="CacheBytes"/>] U8.</param>
    /// <param name="qkv">[T, PackedHeads, D], rotated.</param>
    /// <param name="slots">[T] I32: page · <see cref="PageSize"/> + offset.</param>
    /// <param name="pages">Pages of the cache.</param>
    /// <param name="shape">Geometry.</param>
    void StoreKeyValue(in Tensor cache, in Tensor qkv, in Tensor slots, long pages, in AttentionShape shape);

    /// <summary>Copies whole pages within a cache: source[i] → destination[i] (copy-on-write of a shared, part-filled page).</summary>
    /// <param name="cache">[<see cref="CacheBytes"/>] U8.</param>
    /// <param name="copies">[n, 2] I32: source page, destination page.</param>
    /// <param name="pages">Pages of the cache.</param>
    /// <param name="shape">Geometry.</param>
    /// <param name="dtype">Element type that the cache was sized for.</param>
    void CopyPages(in Tensor cache, in Tensor copies, long pages, in AttentionShape shape, DType dtype);

    /// <summary>
    /// The same attention with keys and values read from the cache: the rows of sequence s are the last tokens of a context of
    /// contextLengths[s] tokens whose keys are already stored. One row decodes; a whole prompt prefills; both may stand in one call.
    /// </summary>
    /// <param name="y">[T, Heads, D] =.</param>
    /// <param name="qkv">[T, PackedHeads, D]; only the queries are read.</param>
    /// <param name="cache">[<see cref="CacheBytes"/>] U8.</param>
    /// <param name="pageTable">[S, P] I32: pages of each sequence in order; entries beyond its context are not read.</param>
    /// <param name="queryStarts">[S + 1] I32 ascending from 0 to T.</param>
    /// <param name="contextLengths">[S] I32, the rows of this call included.</param>
    /// <param name="pages">Pages of the cache.</param>
    /// <param name="shape">Geometry.</param>
    void ForwardPaged(in Tensor y, in Tensor qkv, in Tensor cache, in Tensor pageTable, in Tensor queryStarts,
        in Tensor contextLengths, long pages, in AttentionShape shape);
}
