namespace Luffy.Kernels;

/// <summary>Settings of one AdamW update (Loshchilov and Hutter, arXiv 1711.05101), with PyTorch's meaning of each.</summary>
/// <param name="LearningRate">Step size of this step.</param>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to √v̂.</param>
/// <param name="WeightDecay">Decoupled: weights shrink by LearningRate · WeightDecay.</param>
/// <param name="Step">1 for the first update; corrects the moments' bias.</param>
/// <param name="GradientScale">Multiplied into the gradients first: the clip coefficient.</param>
public readonly record struct AdamWOptions(float LearningRate, float Beta1, float Beta2, float Epsilon, float WeightDecay, long Step,
    float GradientScale = 1);

/// <summary>The optimiser's update, and the norm that clipping needs.</summary>
public interface IAdamW
{
    /// <summary>
    /// g = gradient·scale; m = β₁m + (1−β₁)g; v = β₂v + (1−β₂)g²; master −= lr·(wd·master + m̂/(√v̂ + ε)); weights = master rounded to storage.
    /// </summary>
    /// <param name="weights">[n] F32 or Bf16 =, what the model computes with; absent or the memory of master where that is F32 itself.</param>
    /// <param name="master">[n] F32, updated.</param>
    /// <param name="m">[n] F32, updated.</param>
    /// <param name="v">[n] F32, updated.</param>
    /// <param name="gradient">[n] F32.</param>
    /// <param name="options">Settings.</param>
    void Update(in Tensor weights, in Tensor master, in Tensor m, in Tensor v, in Tensor gradient, in AdamWOptions options);

    /// <summary>Bytes of scratch that <see cref="SquaredNorm"/> needs for n elements.</summary>
    long SquaredNormScratchBytes(long n);

    /// <summary>result[0] = Σ x² in a fixed blocked order; infinite or NaN when any element is.</summary>
    /// <param name="result">[1] F32 =.</param>
    /// <param name="x">[n] F32.</param>
    /// <param name="scratch">[<see cref="SquaredNormScratchBytes"/>] U8.</param>
    void SquaredNorm(in Tensor result, in Tensor x, in Tensor scratch);
}

/// <summary>The specification of <see cref="IAdamW"/> as plain loops.</summary>
public sealed class AdamWReference : IAdamW
{
    private const int NormBlock = 1024;

    /// <inheritdoc/>
    public void Update(in Tensor weights, in Tensor master, in Tensor m, in Tensor v, in Tensor gradient, in AdamWOptions options)
    {
        long n = master.Exists ? master.Length : 0;
        string? problem =
            !Checks.IsVector(master, DType.F32, n) ? "master must be f32 [n]" :
            !Checks.IsVector(m, DType.F32, n) ? "m must be f32 [n]" :
            !Checks.IsVector(v, DType.F32, n) ? "v must be f32 [n]" :
            !Checks.IsVector(gradient, DType.F32, n) ? "gradient must be f32 [n]" :
            weights.Exists && !(Checks.IsFloat(weights) && weights.D0 == n && weights.Length == n) ? "weights must be f32 or bf16 [n]" :
            options.Step < 1 ? "the first step is 1" : null;
        if (problem is not null)
        {
            throw Checks.Failure("AdamW.Update", $"{problem}; step {options.Step}", ("weights", weights), ("master", master), ("m", m),
                ("v", v), ("gradient", gradient));
        }

        FloatSpan stored = new(weights);
        Span<float> values = master.AsSpan<float>(), first = m.AsSpan<float>(), second = v.AsSpan<float>();
        ReadOnlySpan<float> gradients = gradient.AsSpan<float>();
        // 1 − βᵗ loses everything in F32 when β is close to 1 and t is small.
        float firstCorrection = (float)(1 / (1 - Math.Pow(options.Beta1, options.Step)));
        float secondCorrection = (float)(1 / (1 - Math.Pow(options.Beta2, options.Step)));
        for (int i = 0; i < values.Length; i++)
        {
            float g = gradients[i] * options.GradientScale;
            first[i] = (options.Beta1 * first[i]) + ((1 - options.Beta1) * g);
            second[i] = (options.Beta2 * second[i]) + ((1 - options.Beta2) * g * g);
            float step = first[i] * firstCorrection / (MathF.Sqrt(second[i] * secondCorrection) + options.Epsilon);
            values[i] -= options.LearningRate * ((options.WeightDecay * values[i]) + step);
            if (weights.Exists) stored[i] = values[i];
        }
    }

    /// <inheritdoc/>
    public long SquaredNormScratchBytes(long n) => 0;

    /// <inheritdoc/>
    public void SquaredNorm(in Tensor result, in Tensor x, in Tensor scratch)
    {
        string? problem =
            !Checks.IsVector(result, DType.F32, 1) ? "result must be f32 [1]" :
            !x.Exists || !Checks.IsVector(x, DType.F32, x.Length) ? "x must be f32 [n]" : null;
        if (problem is not null) throw Checks.Failure("AdamW.SquaredNorm", problem, ("result", result), ("x", x), ("scratch", scratch));

        // Blocks keep the rounding error of a long F32 sum small: it grows with the block and the number of blocks, not with n.
        ReadOnlySpan<float> values = x.AsSpan<float>();
        float total = 0;
        for (int start = 0; start < values.Length; start += NormBlock)
        {
            ReadOnlySpan<float> block = values[start..Math.Min(start + NormBlock, values.Length)];
            total += LinearReference.Dot(block, block);
        }

        result.AsSpan<float>()[0] = total;
    }
}
