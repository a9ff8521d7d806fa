using Luffy.Kernels;

namespace Luffy.Engine.Benchmarks.Kernels;

/// <summary>Operations that memory limits: what they read and write counts.</summary>
public static class ElementwiseCases
{
    /// <summary>Norms of T×H.</summary>
    public static IEnumerable<KernelCase> RmsNorm(DType dtype, int tokens, int width = 512)
    {
        double bytes = (double)tokens * width * dtype.Size();
        yield return new("rms norm", "add forward", $"{tokens}×{width}", dtype, 0, 4 * bytes, m =>
        {
            (Tensor y, Tensor sum, Tensor rstd) = (m.Zero(dtype, tokens, width), m.Zero(dtype, tokens, width), m.Zero(DType.F32, tokens));
            (Tensor x, Tensor delta, Tensor weight) = (m.Random(dtype, tokens, width), m.Random(dtype, tokens, width), m.Random(dtype, width));
            return () => m.Backend.RmsNorm.AddForward(y, sum, rstd, x, delta, weight, 1e-6f);
        });
        yield return new("rms norm", "add backward", $"{tokens}×{width}", dtype, 0, 4 * bytes, m =>
        {
            (Tensor dx, Tensor dWeight, Tensor dy, Tensor dResidual) = (m.Zero(dtype, tokens, width), m.Zero(DType.F32, width), m.Random(dtype, tokens, width), m.Random(dtype, tokens, width));
            (Tensor x, Tensor rstd, Tensor weight) = (m.Random(dtype, tokens, width), m.Random(DType.F32, tokens), m.Random(dtype, width));
            return () => m.Backend.RmsNorm.AddBackward(dx, dWeight, dy, dResidual, x, rstd, weight);
        });
    }

    /// <summary>Gated layers of tokens×inner.</summary>
    public static IEnumerable<KernelCase> SwiGlu(DType dtype, int tokens, int inner = 1536)
    {
        double bytes = (double)tokens * inner * dtype.Size();
        yield return new("swiglu", "forward", $"{tokens}×{inner}", dtype, 0, 3 * bytes, m =>
        {
            (Tensor y, Tensor gateUp) = (m.Zero(dtype, tokens, inner), m.Random(dtype, tokens, 2 * inner));
            return () => m.Backend.SwiGlu.Forward(y, gateUp);
        });
        yield return new("swiglu", "backward", $"{tokens}×{inner}", dtype, 0, 5 * bytes, m =>
        {
            (Tensor dGateUp, Tensor dy, Tensor gateUp) = (m.Zero(dtype, tokens, 2 * inner), m.Random(dtype, tokens, inner), m.Random(dtype, tokens, 2 * inner));
            return () => m.Backend.SwiGlu.Backward(dGateUp, dy, gateUp);
        });
    }

    /// <summary>A range of columns, as the queries of fused projections, out of a matrix and added back to it.</summary>
    public static IEnumerable<KernelCase> Columns(DType dtype, int tokens, int stride = 768, int width = 512)
    {
        double bytes = (double)tokens * width * dtype.Size();
        yield return new("columns", "take", $"{tokens}×{width} of {stride}", dtype, 0, 2 * bytes, m =>
        {
            (Tensor z, Tensor y) = (m.Zero(dtype, tokens, width), m.Random(dtype, tokens, stride));
            return () => m.Backend.Columns.Take(z, y, 0);
        });
        yield return new("columns", "add", $"{tokens}×{width} of {stride}", dtype, 0, 3 * bytes, m =>
        {
            (Tensor z, Tensor y) = (m.Random(dtype, tokens, width), m.Random(dtype, tokens, stride));
            return () => m.Backend.Columns.Add(y, z, 0, 1e-3f);
        });
    }

    /// <summary>Rotations of tokens×heads×head dimensions.</summary>
    public static IEnumerable<KernelCase> Rope(DType dtype, int tokens, int heads = 12, int rotated = 10, int headDim = 64)
    {
        yield return new("rope", "forward", $"{tokens}×{heads}×{headDim}", dtype, 0, 2.0 * tokens * rotated * headDim * dtype.Size(), m =>
        {
            (Tensor qkv, Tensor positions, Tensor table) = (m.Random(dtype, tokens, heads, headDim), m.Integers(tokens, i => i % 512), m.Random(DType.F32, 512, headDim));
            return () => m.Backend.Rope.Forward(qkv, positions, table, rotated);
        });
    }

    /// <summary>Look-ups of tokens rows of a table.</summary>
    public static IEnumerable<KernelCase> Embedding(DType dtype, int tokens, int width = 512, int vocabulary = 4096)
    {
        double row = (double)tokens * width;
        yield return new("embedding", "forward", $"{tokens}×{width} of {vocabulary}", dtype, 0, 2 * row * dtype.Size(), m =>
        {
            (Tensor y, LinearWeight weight, Tensor ids) = (m.Zero(dtype, tokens, width), m.Weight(dtype, vocabulary, width), m.Ids(tokens, vocabulary));
            return () => m.Backend.Embedding.Forward(y, weight, ids);
        });
        // Rows of the gradient that are read and written: an id that comes twice is one.
        double distinct = vocabulary * (1 - Math.Pow(1 - (1.0 / vocabulary), tokens));
        yield return new("embedding", "backward", $"{tokens}×{width} of {vocabulary}", dtype, 0, (row * dtype.Size()) + (8 * distinct * width), m =>
        {
            (Tensor dWeight, Tensor dy, Tensor ids) = (m.Zero(DType.F32, vocabulary, width), m.Random(dtype, tokens, width), m.Ids(tokens, vocabulary));
            return () => m.Backend.Embedding.Backward(dWeight, dy, ids);
        });
    }

    /// <summary>The optimiser over n weights.</summary>
    public static IEnumerable<KernelCase> AdamW(DType dtype, int rows = 16384, int columns = 512)
    {
        // A matrix, in the form that the model keeps it in.
        int length = rows * columns;
        yield return new("adamw", "update", $"{rows}×{columns}", dtype, 0, 28.0 * length, m =>
        {
            Tensor packed = m.Weight(dtype, rows, columns).Packed, remainders = dtype == DType.F32 ? default : m.Zero(DType.U8, 2L * length);
            (Tensor first, Tensor second, Tensor gradient) = (m.Zero(DType.F32, length), m.Zero(DType.F32, length), m.Random(DType.F32, rows, columns));
            var options = new AdamWOptions(1e-6f, 0.9f, 0.999f, 1e-8f, 0.01f, 10);
            return () => m.Backend.AdamW.Update(packed, remainders, first, second, gradient, options);
        });
        yield return new("adamw", "squared norm", $"{length}", dtype, 0, 4.0 * length, m =>
        {
            (Tensor result, Tensor x) = (m.Zero(DType.F32, 1), m.Random(DType.F32, length));
            Tensor scratch = m.Scratch(m.Backend.AdamW.SquaredNormScratchBytes(length));
            return () => m.Backend.AdamW.SquaredNorm(result, x, scratch);
        });
    }

    /// <summary>Draws of S rows from V logits, which are F32 whatever the model's storage.</summary>
    public static IEnumerable<KernelCase> Sampling(DType dtype)
    {
        if (dtype != DType.F32) return [];
        return [.. Sampling(64, 4096).Take(1), .. Sampling(64, 151936)];
    }

    /// <summary>Draws with and without filters.</summary>
    public static IEnumerable<KernelCase> Sampling(int rows, int vocabulary)
    {
        foreach ((string kind, SamplingOptions options) in new[] { ("all", new SamplingOptions(1, 0, 1, 0, 1)), ("top-k top-p", new SamplingOptions(1, 50, 0.95f, 0, 1)) })
        {
            yield return new("sampling", kind, $"{rows}×{vocabulary}", DType.F32, 0, 4.0 * rows * vocabulary, m =>
            {
                (Tensor ids, Tensor logProbs, Tensor sampled) = (m.Zero(DType.I32, rows), m.Zero(DType.F32, rows), m.Zero(DType.F32, rows));
                (Tensor logits, Tensor keys) = (m.Random(DType.F32, rows, vocabulary), m.Integers(rows * 3, i => i).Reshape(rows, 3));
                Tensor scratch = m.Scratch(m.Backend.Sampling.ScratchBytes(rows, vocabulary));
                return () => m.Backend.Sampling.Sample(ids, logProbs, sampled, logits, keys, options, scratch);
            });
        }
    }
}
