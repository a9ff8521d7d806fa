using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary><see cref="IAdamW"/> on any GPU.</summary>
internal sealed class AdamWIlgpu(IlgpuContext context) : IAdamW
{
    /// <inheritdoc/>
    public void Update(in Tensor weights, in Tensor remainders, in Tensor m, in Tensor v, in Tensor gradient, in AdamWOptions options)
    {
        Tensor rows = AdamWChecks.Update(weights, remainders, m, v, gradient, options);
        context.CheckOwn(rows, remainders, m, v, gradient);
        AdamWConstants constants = new(options);
        if (gradient.DType == DType.F32) Update<F32Storage>(rows, remainders, m, v, gradient, constants);
        else Update<Bf16Storage>(rows, remainders, m, v, gradient, constants);
    }

    /// <inheritdoc/>
    public long SquaredNormScratchBytes(long n) => sizeof(float) * Blocks(n);

    /// <inheritdoc/>
    public void SquaredNorm(in Tensor result, in Tensor x, in Tensor scratch)
    {
        AdamWChecks.SquaredNorm(result, x, scratch, SquaredNormScratchBytes(x.Exists ? x.Length : 0));
        context.CheckOwn(result, x, scratch);
        if (x.Length == 0)
        {
            context.Zero(result);
            return;
        }

        if (x.DType == DType.F32) SquaredNorm<F32Storage>(result, x, scratch);
        else SquaredNorm<Bf16Storage>(result, x, scratch);
    }

    private static long Blocks(long n) => (n + AdamWKernels.NormBlock - 1) / AdamWKernels.NormBlock;

    private void Update<T>(in Tensor weights, in Tensor remainders, in Tensor m, in Tensor v, in Tensor gradient, in AdamWConstants constants)
        where T : unmanaged, IStorage<T>
    {
        if (m.DType == DType.Bf16)
        {
            context.Launch(AdamWKernels.UpdateRounded<T>, context.Elements(m.Length), context.View<ushort>(weights), context.View<short>(remainders),
                context.View<ushort>(m), context.View<ushort>(v), context.View<T>(gradient), constants);
        }
        else if (remainders.Exists)
        {
            context.Launch(AdamWKernels.UpdateSplit<T>, context.Elements(m.Length), context.View<ushort>(weights), context.View<short>(remainders),
                context.View<float>(m), context.View<float>(v), context.View<T>(gradient), constants);
        }
        else
        {
            context.Launch(AdamWKernels.UpdateWhole<T>, context.Elements(m.Length), context.View<float>(weights), context.View<float>(m),
                context.View<float>(v), context.View<T>(gradient), constants);
        }
    }

    private void SquaredNorm<T>(in Tensor result, in Tensor x, in Tensor scratch) where T : unmanaged, IStorage<T>
    {
        long blocks = Blocks(x.Length);
        ArrayView<float> sums = context.View<float>(scratch.Buffer.View(scratch.ByteOffset, DType.F32, blocks));
        context.Launch(AdamWKernels.BlockNorms<T>, context.Rows(blocks), sums, context.View<T>(x));
        context.Launch(AdamWKernels.SumBlocks, context.Rows(1), context.View<float>(result), sums);
    }
}

/// <summary>What one update is the same for all elements.</summary>
internal readonly struct AdamWConstants
{
    public readonly float GradientScale, Beta1, OneMinusBeta1, Beta2, OneMinusBeta2, FirstCorrection, SecondCorrection, Epsilon, WeightDecay, LearningRate;
    public readonly long Step;
    public readonly ulong RoundingKey;

    public AdamWConstants(in AdamWOptions options)
    {
        (GradientScale, Epsilon, WeightDecay, LearningRate) = (options.GradientScale, options.Epsilon, options.WeightDecay, options.LearningRate);
        (Beta1, OneMinusBeta1, Beta2, OneMinusBeta2) = (options.Beta1, 1 - options.Beta1, options.Beta2, 1 - options.Beta2);
        // 1 − βᵗ loses everything in F32 when β is close to 1 and t is small.
        FirstCorrection = (float)(1 / (1 - Math.Pow(options.Beta1, options.Step)));
        SecondCorrection = (float)(1 / (1 - Math.Pow(options.Beta2, options.Step)));
        (Step, RoundingKey) = (options.Step, options.RoundingKey);
    }
}

/// <summary>The kernels of <see cref="AdamWIlgpu"/>.</summary>
internal static class AdamWKernels
{
    /// <summary>Elements whose squares one group sums.</summary>
    public const int NormBlock = 8192;

    /// <summary>The update of f32 weights, a thread for each element in the shape of <see cref="IlgpuContext.Elements"/>.</summary>
    [Kernel]
    public static void UpdateWhole<T>(ArrayView<float> weights, ArrayView<float> m, ArrayView<float> v, ArrayView<T> gradient, AdamWConstants constants)
        where T : unmanaged, IStorage<T>
    {
        for (long i = GridStride.First; i < m.Length; i += GridStride.Step)
        {
            float first = m[i], second = v[i];
            weights[i] = Step(weights[i], T.Load(gradient[i]), ref first, ref second, constants);
            m[i] = first;
            v[i] = second;
        }
    }

    /// <summary>The same of bf16 weights, whose masters are put together and taken apart again as <see cref="SplitMaster"/> says.</summary>
    [Kernel]
    public static void UpdateSplit<T>(ArrayView<ushort> weights, ArrayView<short> remainders, ArrayView<float> m, ArrayView<float> v,
        ArrayView<T> gradient, AdamWConstants constants) where T : unmanaged, IStorage<T>
    {
        for (long i = GridStride.First; i < m.Length; i += GridStride.Step)
        {
            float first = m[i], second = v[i];
            StepSplit(weights, remainders, i, T.Load(gradient[i]), ref first, ref second, constants);
            m[i] = first;
            v[i] = second;
        }
    }

    /// <summary>The same with bf16 moments, rounded as <see cref="StochasticRounding"/> says.</summary>
    [Kernel]
    public static void UpdateRounded<T>(ArrayView<ushort> weights, ArrayView<short> remainders, ArrayView<ushort> m, ArrayView<ushort> v,
        ArrayView<T> gradient, AdamWConstants constants) where T : unmanaged, IStorage<T>
    {
        for (long i = GridStride.First; i < m.Length; i += GridStride.Step)
        {
            float first = Interop.IntAsFloat((uint)m[i] << 16), second = Interop.IntAsFloat((uint)v[i] << 16);
            StepSplit(weights, remainders, i, T.Load(gradient[i]), ref first, ref second, constants);
            uint random = StochasticRounding.Word(i, constants.Step, constants.RoundingKey);
            m[i] = Round(first, random & 0xFFFFu);
            v[i] = Round(second, random >> 16);
        }
    }

    /// <summary>sums[b] = Σ x² of block b, a group for each block.</summary>
    [Kernel]
    public static void BlockNorms<T>(ArrayView<float> sums, ArrayView<T> x) where T : unmanaged, IStorage<T>
    {
        ArrayView<float> lanes = SharedMemory.Allocate<float>(FixedTree.Lanes);
        long start = (long)Grid.IdxX * NormBlock, end = IntrinsicMath.Min(start + NormBlock, x.Length);
        for (int lane = Group.IdxX; lane < FixedTree.Lanes; lane += Group.DimX)
        {
            float partial = 0;
            for (long i = start + lane; i < end; i += FixedTree.Lanes)
            {
                float value = T.Load(x[i]);
                partial = DeviceMath.FusedMultiplyAdd(value, value, partial);
            }

            lanes[lane] = partial;
        }

        float sum = FixedTree.Sum(lanes);
        if (Group.IdxX == 0) sums[Grid.IdxX] = sum;
    }

    /// <summary>result[0] = Σ sums, by one group.</summary>
    [Kernel]
    public static void SumBlocks(ArrayView<float> result, ArrayView<float> sums)
    {
        ArrayView<float> lanes = SharedMemory.Allocate<float>(FixedTree.Lanes);
        for (int lane = Group.IdxX; lane < FixedTree.Lanes; lane += Group.DimX)
        {
            float partial = 0;
            for (long i = lane; i < sums.Length; i += FixedTree.Lanes) partial += sums[i];
            lanes[lane] = partial;
        }

        float sum = FixedTree.Sum(lanes);
        if (Group.IdxX == 0) result[0] = sum;
    }

    // The master weight of element i put together, updated and taken apart; what is left in `second` carries the sign of a tie.
    private static void StepSplit(ArrayView<ushort> weights, ArrayView<short> remainders, long i, float gradient, ref float first, ref float second,
        in AdamWConstants constants)
    {
        uint sign = Interop.FloatAsInt(second) >> 31;
        // The remainder widens with its sign by hand: ILGPU may load 16 bits either way.
        uint remainder = (((uint)remainders[i] & 0xFFFFu) ^ 0x8000u) - 0x8000u;
        float master = Interop.IntAsFloat((((uint)weights[i] & 0xFFFFu) << 16) + remainder + (sign << 16));
        second = Interop.IntAsFloat(Interop.FloatAsInt(second) & 0x7FFFFFFFu);
        master = Step(master, gradient, ref first, ref second, constants);
        ushort weight = DeviceMath.RoundToBFloat16(master);
        uint rest = float.IsNaN(master) ? 0 : Interop.FloatAsInt(master) - (((uint)weight & 0xFFFFu) << 16);
        weights[i] = weight;
        remainders[i] = (short)rest;
        if (rest == 1u << 15) second = -second;
    }

    // StochasticRounding.Round with what every device has.
    private static ushort Round(float value, uint random)
    {
        uint bits = Interop.FloatAsInt(value);
        return (ushort)(float.IsNaN(value) ? (bits >> 16) | 0x40u : (bits + random) >> 16);
    }

    // Every step is rounded as written, so that the storage of the weights does not show in the numbers.
    private static float Step(float master, float gradient, ref float first, ref float second, in AdamWConstants c)
    {
        float g = gradient * c.GradientScale;
        first = DeviceMath.FusedMultiplyAdd(c.Beta1, first, c.OneMinusBeta1 * g);
        second = DeviceMath.FusedMultiplyAdd(c.Beta2, second, c.OneMinusBeta2 * g * g);
        float step = first * c.FirstCorrection / (MathF.Sqrt(second * c.SecondCorrection) + c.Epsilon);
        return DeviceMath.FusedMultiplyAdd(-c.LearningRate, DeviceMath.FusedMultiplyAdd(c.WeightDecay, master, step), master);
    }
}
