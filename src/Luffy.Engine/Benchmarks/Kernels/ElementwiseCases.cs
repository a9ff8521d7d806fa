using Luffy.Kernels;

namespace Luffy.Engine.Benchmarks.Kernels;

/// <summary>Operations that memory limits: what they read and write counts.</summary>
public static class ElementwiseCases
{
    /// <summary>Norms of T×H.</summary>
    public static IEnumerable<KernelCase> RmsNorm(DType dtype, int tokens)
    {
        const int H = 512;
        double bytes = (double)tokens * H * dtype.Size();
        yield return new("rms norm", "add forward", $"{tokens}×{H}", dtype, 0, 4 * bytes, m =>
        {
            (Tensor y, Tensor sum, Tensor rstd) = (m.Zero(dtype, tokens, H), m.Zero(dtype, tokens, H), m.Zero(DType.F32, tokens));
            (Tensor x, Tensor delta, Tensor weight) = (m.Random(dtype, tokens, H), m.Random(dtype, tokens, H), m.Random(dtype, H));
            return () => m.Backend.RmsNorm.AddForward(y, sum, rstd, x, delta, weight, 1e-6f);
        });
        yield return new("rms norm", "add backward", $"{tokens}×{H}", dtype, 0, 4 * bytes, m =>
        {
            (Tensor dx, Tensor dWeight, Tensor dy, Tensor dResidual) = (m.Zero(dtype, tokens, H), m.Zero(DType.F32, H), m.Random(dtype, tokens, H), m.Random(dtype, tokens, H));
            (Tensor x, Tensor rstd, Tensor weight) = (m.Random(dtype, tokens, H), m.Random(DType.F32, tokens), m.Random(dtype, H));
            return () => m.Backend.RmsNorm.AddBackward(dx, dWeight, dy, dResidual, x, rstd, weight);
        });
    }

    /// <summary>Gated layers of tokens×I.</summary>
    public static IEnumerable<KernelCase> SwiGlu(DType dtype, int tokens)
    {
        const int I = 1536;
        double bytes = (double)tokens * I * dtype.Size();
        yield return new("swiglu", "forward", $"{tokens}×{I}", dtype, 0, 3 * bytes, m =>
        {
            (Tensor y, Tensor gateUp) = (m.Zero(dtype, tokens, I), m.Random(dtype, tokens, 2 * I));
            return () => m.Backend.SwiGlu.Forward(y, gateUp);
        });
        yield return new("swiglu", "backward", $"{tokens}×{I}", dtype, 0, 5 * bytes, m =>
        {
            (Tensor dGateUp, Tensor dy, Tensor gateUp) = (m.Zero(dtype, tokens, 2 * I), m.Random(dtype, tokens, I), m.Random(dtype, tokens, 2 * I));
            return () => m.Backend.SwiGlu.Backward(dGateUp, dy, gateUp);
        });
    }

    /// <summary>Rotations of tokens×heads×D.</summary>
    public static IEnumerable<KernelCase> Rope(DType dtype, int tokens)
    {
        const int Heads = 12, Rotated = 10, D = 64;
        yield return new("rope", "forward", $"{tokens}×{Heads}×{D}", dtype, 0, 2.0 * tokens * Rotated * D * dtype.Size(), m =>
        {
            (Tensor qkv, Tensor positions, Tensor table) = (m.Random(dtype, tokens, Heads, D), m.Integers(tokens, i => i % 512), m.Random(DType.F32, 512, D));
            return () => m.Backend.Rope.Forward(qkv, positions, table, Rotated);
        });
    }

    /// <summary>Look-ups of tokens rows of H.</summary>
    public static IEnumerable<KernelCase> Embedding(DType dtype, int tokens)
    {
        const int H = 512, V = 4096;
        double row = (double)tokens * H;
        yield return new("embedding", "forward", $"{tokens}×{H} of {V}", dtype, 0, 2 * row * dtype.Size(), m =>
        {
            (Tensor y, LinearWeight weight, Tensor ids) = (m.Zero(dtype, tokens, H), m.Weight(dtype, V, H), m.Ids(tokens, V));
            return () => m.Backend.Embedding.Forward(y, weight, ids);
        });
        // Rows of the gradient that are read and written: an id that comes twice is one.
        double distinct = V * (1 - Math.Pow(1 - (1.0 / V), tokens));
        yield return new("embedding", "backward", $"{tokens}×{H} of {V}", dtype, 0, (row * dtype.Size()) + (8 * distinct * H), m =>
        {
            (Tensor dWeight, Tensor dy, Tensor ids) = (m.Zero(DType.F32, V, H), m.Random(dtype, tokens, H), m.Ids(tokens, V));
            return () => m.Backend.Embedding.Backward(dWeight, dy, ids);
        });
    }

    /// <summary>The optimiser over n weights.</summary>
    public static IEnumerable<KernelCase> AdamW(DType dtype)
    {
        // A matrix, in the form that the model keeps it in.
        const int N = 16384, K = 512, Length = N * K;
        yield return new("adamw", "update", $"{N}×{K}", dtype, 0, 28.0 * Length, m =>
        {
            Tensor packed = m.Weight(dtype, N, K).Packed, remainders = dtype == DType.F32 ? default : m.Zero(DType.U8, 2 * Length);
            (Tensor first, Tensor second, Tensor gradient) = (m.Zero(DType.F32, Length), m.Zero(DType.F32, Length), m.Random(DType.F32, N, K));
            var options = new AdamWOptions(1e-6f, 0.9f, 0.999f, 1e-8f, 0.01f, 10);
            return () => m.Backend.AdamW.Update(packed, remainders, first, second, gradient, options);
        });
        yield return new("adamw", "squared norm", $"{Length}", dtype, 0, 4.0 * Length, m =>
        {
            (Tensor result, Tensor x) = (m.Zero(DType.F32, 1), m.Random(DType.F32, Length));
            Tensor scratch = m.Zero(DType.U8, m.Backend.AdamW.SquaredNormScratchBytes(Length));
            return () => m.Backend.AdamW.SquaredNorm(result, x, scratch);
        });
    }

    /// <summary>Draws of S rows from V logits, which are F32 whatever the model's storage.</summary>
    public static IEnumerable<KernelCase> Sampling(DType dtype)
    {
        if (dtype != DType.F32) yield break;
        foreach ((int rows, int vocabulary, string kind, SamplingOptions options) in new[]
        {
            (64, 4096, "all", new SamplingOptions(1, 0, 1, 0, 1)), (64, 151936, "all", new SamplingOptions(1, 0, 1, 0, 1)),
            (64, 151936, "top-k top-p", new SamplingOptions(1, 50, 0.95f, 0, 1)),
        })
        {
            yield return new("sampling", kind, $"{rows}×{vocabulary}", dtype, 0, 4.0 * rows * vocabulary, m =>
            {
                (Tensor ids, Tensor logProbs, Tensor sampled) = (m.Zero(DType.I32, rows), m.Zero(DType.F32, rows), m.Zero(DType.F32, rows));
                (Tensor logits, Tensor keys) = (m.Random(DType.F32, rows, vocabulary), m.Integers(rows * 3, i => i).Reshape(rows, 3));
                Tensor scratch = m.Zero(DType.U8, m.Backend.Sampling.ScratchBytes(rows, vocabulary));
                return () => m.Backend.Sampling.Sample(ids, logProbs, sampled, logits, keys, options, scratch);
            });
        }
    }
}
