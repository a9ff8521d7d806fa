using System.Runtime.InteropServices;

namespace Luffy.Kernels;

/// <summary>Settings of one AdamW update (Loshchilov and Hutter, arXiv 1711.05101), with PyTorch's meaning of each.</summary>
/// <param name="LearningRate">Step size of this step.</param>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to √v̂.</param>
/// <param name="WeightDecay">Decoupled: weights shrink by LearningRate · WeightDecay.</param>
/// <param name="Step">1 for the first update; corrects the moments' bias.</param>
/// <param name="GradientScale">Multiplied into the gradients first: the clip coefficient.</param>
/// <param name="RoundingKey">
/// Key of the random bits that Bf16 moments are rounded by, beside <paramref name="Step"/> and an element's index: another for each tensor.
/// </param>
public readonly record struct AdamWOptions(float LearningRate, float Beta1, float Beta2, float Epsilon, float WeightDecay, long Step,
    float GradientScale = 1, ulong RoundingKey = 0);

/// <summary>The optimiser's update, and the norm that clipping needs.</summary>
public interface IAdamW
{
    /// <summary>
    /// g = gradient·scale; m = β₁m + (1−β₁)g; v = β₂v + (1−β₂)g²; master −= lr·(wd·master + m̂/(√v̂ + ε)). The master weights are exact f32
    /// numbers: F32 weights themselves; with Bf16 weights those, which are the master rounded to nearest even, and what the rounding took
    /// away, as <see cref="SplitMaster"/> has it.
    /// <para>
    /// Bf16 moments, which only Bf16 weights have, are widened, updated in f32 and rounded by chance (<see cref="StochasticRounding"/>); the
    /// step takes them before they are rounded.
    /// </para>
    /// </summary>
    /// <param name="weights">[n] F32 or Bf16, or the packed form (<see cref="ILinear.Pack"/>) of a [N, K]; updated.</param>
    /// <param name="remainders">[2n] U8, updated: 16-bit signed integers in row-major order. Absent where the weights are F32, and only there: that tells what a packed form holds.</param>
    /// <param name="m">[n] F32, or with <paramref name="remainders"/> Bf16; updated.</param>
    /// <param name="v">[n] of the dtype of <paramref name="m"/>, updated; never negative, so that with <paramref name="remainders"/> the sign tells two ties apart.</param>
    /// <param name="gradient">[n] F32 or Bf16; [N, K] where the weights are packed.</param>
    /// <param name="options">Settings.</param>
    void Update(in Tensor weights, in Tensor remainders, in Tensor m, in Tensor v, in Tensor gradient, in AdamWOptions options);

    /// <summary>Bytes of scratch that <see cref="SquaredNorm"/> needs for n elements.</summary>
    long SquaredNormScratchBytes(long n);

    /// <summary>result[0] = Σ x² in a fixed blocked order; infinite or NaN when any element is.</summary>
    /// <param name="result">[1] F32 =.</param>
    /// <param name="x">[n] F32 or Bf16.</param>
    /// <param name="scratch">[<see cref="SquaredNormScratchBytes"/>] U8.</param>
    void SquaredNorm(in Tensor result, in Tensor x, in Tensor scratch);
}

/// <summary>
/// A f32 master weight as the bfloat16 that the model computes with and 16 bits more: master bits = (weight bits · 2¹⁶) + remainder. The
/// weight is the master rounded to nearest even, so the remainder lies in −2¹⁵ … 2¹⁵. The two ends share their bits: both are ties, and which
/// one it is takes one bit elsewhere (the sign of Adam's second moment). Finite numbers and infinities come back to the bit; a NaN keeps
/// its upper half.
/// </summary>
/// <param name="Weight">Bits of the rounded weight.</param>
/// <param name="Remainder">What rounding took away, modulo 2¹⁶.</param>
/// <param name="UpperTie">True where the remainder is +2¹⁵ rather than −2¹⁵.</param>
public readonly record struct SplitMaster(ushort Weight, short Remainder, bool UpperTie)
{
    /// <summary>Takes a master weight apart.</summary>
    public static SplitMaster Of(float master)
    {
        ushort weight = BFloat16.FromSingle(master);
        if (float.IsNaN(master)) return new SplitMaster(weight, 0, false);
        int remainder = unchecked((int)(BitConverter.SingleToUInt32Bits(master) - ((uint)weight << 16)));
        return new SplitMaster(weight, unchecked((short)remainder), remainder == 1 << 15);
    }

    /// <summary>Puts it together again.</summary>
    public float Value => BitConverter.UInt32BitsToSingle(unchecked(((uint)Weight << 16) + (uint)Remainder + (UpperTie ? 1u << 16 : 0)));
}

/// <summary>The specification of <see cref="IAdamW"/> as plain loops.</summary>
public sealed class AdamWReference : IAdamW
{
    private const int NormBlock = 1024;

    /// <inheritdoc/>
    public void Update(in Tensor weights, in Tensor remainders, in Tensor m, in Tensor v, in Tensor gradient, in AdamWOptions options)
    {
        Tensor rows = AdamWChecks.Update(weights, remainders, m, v, gradient, options);
        DType dtype = rows.DType;
        Span<float> values = dtype == DType.F32 ? rows.AsSpan<float>() : default;
        FloatSpan first = new(m), second = new(v);
        bool rounds = m.DType == DType.Bf16;
        Span<ushort> halves = dtype == DType.Bf16 ? rows.AsSpan<ushort>() : default;
        Span<short> rest = MemoryMarshal.Cast<byte, short>(remainders.AsSpan<byte>());
        FloatSpan gradients = new(gradient);
        // 1 − βᵗ loses everything in F32 when β is close to 1 and t is small.
        float firstCorrection = (float)(1 / (1 - Math.Pow(options.Beta1, options.Step)));
        float secondCorrection = (float)(1 / (1 - Math.Pow(options.Beta2, options.Step)));
        for (int i = 0; i < first.Length; i++)
        {
            float master = dtype == DType.F32 ? values[i] : new SplitMaster(halves[i], rest[i], float.IsNegative(second[i])).Value;
            float g = gradients[i] * options.GradientScale;
            float mean = (options.Beta1 * first[i]) + ((1 - options.Beta1) * g);
            float square = (options.Beta2 * MathF.Abs(second[i])) + ((1 - options.Beta2) * g * g);
            float step = mean * firstCorrection / (MathF.Sqrt(square * secondCorrection) + options.Epsilon);
            master -= options.LearningRate * ((options.WeightDecay * master) + step);
            if (dtype == DType.F32)
            {
                values[i] = master;
            }
            else
            {
                SplitMaster split = SplitMaster.Of(master);
                (halves[i], rest[i]) = (split.Weight, split.Remainder);
                if (split.UpperTie) square = -square;
            }

            uint random = rounds ? StochasticRounding.Word(i, options.Step, options.RoundingKey) : 0;
            first[i] = rounds ? BFloat16.ToSingle(StochasticRounding.Round(mean, random & 0xFFFF)) : mean;
            second[i] = rounds ? BFloat16.ToSingle(StochasticRounding.Round(square, random >> 16)) : square;
        }
    }

    /// <inheritdoc/>
    public long SquaredNormScratchBytes(long n) => 0;

    /// <inheritdoc/>
    public void SquaredNorm(in Tensor result, in Tensor x, in Tensor scratch)
    {
        AdamWChecks.SquaredNorm(result, x, scratch, SquaredNormScratchBytes(0));

        // Blocks keep the rounding error of a long F32 sum small: it grows with the block and the number of blocks, not with n.
        FloatSpan values = new(x);
        Span<float> buffer = stackalloc float[NormBlock];
        float total = 0;
        for (int start = 0; start < values.Length; start += NormBlock)
        {
            ReadOnlySpan<float> block = values.Read(start, Math.Min(NormBlock, values.Length - start), buffer);
            total += LinearReference.Dot(block, block);
        }

        result.AsSpan<float>()[0] = total;
    }
}
