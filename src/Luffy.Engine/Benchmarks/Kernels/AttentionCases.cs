using Luffy.Kernels;

namespace Luffy.Engine.Benchmarks.Kernels;

/// <summary>Attention over packed sequences and over the cache. Only the causal half of the scores counts.</summary>
public static class AttentionCases
{
    /// <summary>All of them in one storage type.</summary>
    public static IEnumerable<KernelCase> All(DType dtype) =>
    [
        .. Of(dtype, 32, 256, new AttentionShape(8, 2, 32, 1 / MathF.Sqrt(32))),
        .. Of(dtype, 8, 512, new AttentionShape(8, 2, 64, 0.125f)),
        .. Of(dtype, 2, 1024, new AttentionShape(14, 2, 64, 0.125f)),
    ];

    /// <summary>Some sequences of one length.</summary>
    public static IEnumerable<KernelCase> Of(DType dtype, int sequences, int length, AttentionShape shape)
    {
        string name = $"{sequences}×{length} h{shape.Heads} kv{shape.KeyValueHeads} d{shape.HeadDim}";
        int tokens = sequences * length, heads = shape.Heads, d = shape.HeadDim;
        double scores = (double)sequences * length * (length + 1) / 2, operations = 4 * scores * heads * d;
        yield return new("attention", "forward", name, dtype, operations, 0, m =>
        {
            (Tensor y, Tensor lse, Tensor qkv, Tensor starts) = Operands(m);
            return () => m.Backend.Attention.Forward(y, lse, qkv, starts, shape);
        });
        yield return new("attention", "backward", name, dtype, 2.5 * operations, 0, m =>
        {
            (Tensor y, Tensor lse, Tensor qkv, Tensor starts) = Operands(m);
            m.Backend.Attention.Forward(y, lse, qkv, starts, shape);
            (Tensor dy, Tensor dQkv) = (m.Random(dtype, tokens, heads, d), m.Zero(dtype, tokens, shape.PackedHeads, d));
            Tensor scratch = m.Scratch(m.Backend.Attention.BackwardScratchBytes(tokens, length, shape, dtype));
            return () => m.Backend.Attention.Backward(dQkv, dy, y, lse, qkv, starts, shape, scratch);
        });
        yield return new("attention", "decode", name, dtype, 0, 2.0 * tokens * shape.KeyValueHeads * d * dtype.Size(), m =>
        {
            const int Page = IAttention.PageSize;
            int width = length / Page, pages = sequences * width;
            Tensor cache = m.Zero(DType.U8, m.Backend.Attention.CacheBytes(pages, shape, dtype));
            m.Backend.Attention.StoreKeyValue(cache, m.Random(dtype, tokens, shape.PackedHeads, d), m.Integers(tokens, i => i), pages, shape);
            (Tensor y, Tensor queries) = (m.Zero(dtype, sequences, heads, d), m.Random(dtype, sequences, shape.PackedHeads, d));
            Tensor table = m.Integers(pages, i => i).Reshape(sequences, width);
            (Tensor starts, Tensor contexts) = (m.Integers(sequences + 1, i => i), m.Integers(sequences, _ => length));
            return () => m.Backend.Attention.ForwardPaged(y, queries, cache, table, starts, contexts, pages, shape);
        });

        (Tensor Y, Tensor LogSumExp, Tensor Qkv, Tensor Starts) Operands(KernelMemory m) => (m.Zero(dtype, tokens, heads, d), m.Zero(DType.F32, tokens, heads),
            m.Random(dtype, tokens, shape.PackedHeads, d), m.Integers(sequences + 1, i => i * length));
    }
}
