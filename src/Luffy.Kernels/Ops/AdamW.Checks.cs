namespace Luffy.Kernels;

/// <summary>Argument checks of <see cref="IAdamW"/> for the managed backends.</summary>
internal static class AdamWChecks
{
    /// <summary>Returns the weights as a vector of rows, for backends whose packed form is the rows.</summary>
    public static Tensor Update(in Tensor weights, in Tensor remainders, in Tensor m, in Tensor v, in Tensor gradient, in AdamWOptions options)
    {
        long n = gradient.Exists ? gradient.Length : 0;
        bool packed = weights.Exists && weights.DType == DType.U8;
        DType dtype = remainders.Exists ? DType.Bf16 : DType.F32, moments = m.Exists && m.DType == DType.Bf16 ? DType.Bf16 : DType.F32;
        string? problem =
            !Checks.IsFloat(gradient) ? "gradient must be f32 or bf16" :
            packed && weights.Length < n * dtype.Size() ? "weights must be u8 of the packed bytes of the gradient's [N, K]" :
            !packed && (!Checks.IsFloat(weights) || weights.Length != n) ? "weights must be f32 or bf16 [n], or packed" :
            !packed && weights.DType != dtype ? "bf16 weights have remainders, f32 weights have none" :
            remainders.Exists && (remainders.DType != DType.U8 || remainders.Length != 2 * n) ? "remainders must be u8 [2n]" :
            moments == DType.Bf16 && dtype != DType.Bf16 ? "bf16 moments are for bf16 weights and their remainders" :
            !Checks.IsVector(m, moments, n) ? "m must be f32 or bf16 [n]" :
            !Checks.IsVector(v, moments, n) ? "v must be [n] of the dtype of m" :
            options.Step < 1 ? "the first step is 1" : null;
        if (problem is not null)
        {
            throw Checks.Failure("AdamW.Update", $"{problem}; step {options.Step}", ("weights", weights), ("remainders", remainders), ("m", m),
                ("v", v), ("gradient", gradient));
        }

        return packed ? weights.Buffer.View(weights.ByteOffset, dtype, n) : weights;
    }

    public static void SquaredNorm(in Tensor result, in Tensor x, in Tensor scratch, long scratchBytes)
    {
        string? problem =
            !Checks.IsVector(result, DType.F32, 1) ? "result must be f32 [1]" :
            !Checks.IsFloat(x) ? "x must be f32 or bf16" :
            !Checks.IsBytes(scratch, scratchBytes) ? "scratch is too small" : null;
        if (problem is not null) throw Checks.Failure("AdamW.SquaredNorm", problem, ("result", result), ("x", x), ("scratch", scratch));
    }
}
