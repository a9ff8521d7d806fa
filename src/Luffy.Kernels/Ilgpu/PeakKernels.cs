using ILGPU;
using Luffy.Kernels.Ilgpu.Products;

namespace Luffy.Kernels.Ilgpu;

/// <summary>Kernels that do nothing but keep one unit of a device busy. Their results depend on every step, so that no compiler leaves one out.</summary>
internal static class PeakKernels
{
    /// <summary>Fused multiply-adds that a thread of <see cref="MultiplyAdds"/> does in one iteration.</summary>
    public const int StepsOfIteration = 8 * Chains.Count;

    /// <summary>Multiply-adds that a warp of <see cref="TensorMultiplyAdds"/> does in one iteration: 16×8×16 an instruction.</summary>
    public const int WarpStepsOfIteration = FragmentChains.Count * 16 * 8 * 16;

    /// <summary>
    /// results[i] = the sum of thread i's chains after so many iterations of 8 steps x ← x·factor + addend. One thread's chains are independent,
    /// and cover the unit's latency; eight steps are so many that the loop itself does not show.
    /// </summary>
    [Kernel]
    public static void MultiplyAdds(ArrayView<float> results, float factor, float addend, int iterations)
    {
        Chains chains = Chains.From((int)(GridStride.First & 1023));
        for (int i = 0; i < iterations; i++)
        {
            chains = Chains.Step(Chains.Step(chains, factor, addend), factor, addend);
            chains = Chains.Step(Chains.Step(chains, factor, addend), factor, addend);
            chains = Chains.Step(Chains.Step(chains, factor, addend), factor, addend);
            chains = Chains.Step(Chains.Step(chains, factor, addend), factor, addend);
        }

        results[GridStride.First] = Chains.Sum(chains);
    }

    /// <summary>
    /// results[i] = the sum of thread i's parts of its warp's chains, sums ← sums + rows · columnsᵀ, after so many iterations of one step each.
    /// The operands are bits that look random, as ±½ … ±1: zeros multiply faster.
    /// </summary>
    [Kernel]
    public static void TensorMultiplyAdds(ArrayView<float> results, int iterations)
    {
        uint seed = (uint)(GridStride.First * 6);
        RowFragment rows = new() { Upper = Pair(seed), Lower = Pair(seed + 1), UpperFurther = Pair(seed + 2), LowerFurther = Pair(seed + 3) };
        ColumnFragment columns = new() { Word = Pair(seed + 4), Further = Pair(seed + 5) };
        FragmentChains chains = default;
        for (int i = 0; i < iterations; i++) chains = FragmentChains.Step(chains, rows, columns);
        results[GridStride.First] = FragmentChains.Sum(chains);
    }

    /// <summary>Two bf16 of random sign and mantissa, ½ or above and below 1.</summary>
    public static uint Pair(uint seed) => (Scramble(seed) & 0x807F807Fu) | 0x3F003F00u;

    /// <summary>folds[i] = the exclusive or of all words that thread i reads; the threads together read every word once.</summary>
    [Kernel]
    public static void Read(ArrayView<uint> folds, ArrayView<Words4> words)
    {
        long i = GridStride.First, step = GridStride.Step;
        uint fold = 0;
        for (; i + (3 * step) < words.Length; i += 4 * step)
        {
            Words4 a = words[i], b = words[i + step], c = words[i + (2 * step)], d = words[i + (3 * step)];
            fold ^= Fold(a) ^ Fold(b) ^ Fold(c) ^ Fold(d);
        }

        for (; i < words.Length; i += step) fold ^= Fold(words[i]);
        folds[GridStride.First] = fold;
    }

    /// <summary>words[i] = bits that look random: reading zeros can be faster than reading data.</summary>
    [Kernel]
    public static void Fill(ArrayView<uint> words)
    {
        for (long i = GridStride.First; i < words.Length; i += GridStride.Step) words[i] = Scramble((uint)i);
    }

    /// <summary>A bijection of 32 bits without pattern: multiplications by odd numbers, and shifts folded in.</summary>
    public static uint Scramble(uint x)
    {
        x = (x ^ (x >> 16)) * 0x9E3779B1u;
        x = (x ^ (x >> 15)) * 0x85EBCA77u;
        return x ^ (x >> 16);
    }

    private static uint Fold(Words4 words) => words.A ^ words.B ^ words.C ^ words.D;
}

/// <summary>Numbers that one thread keeps in registers, each multiplied and added to on its own.</summary>
internal struct Chains
{
    /// <summary>How many.</summary>
    public const int Count = 16;

    private float _a, _b, _c, _d, _e, _f, _g, _h, _i, _j, _k, _l, _m, _n, _o, _p;

    /// <summary>Where a thread begins.</summary>
    public static Chains From(int thread)
    {
        float x = thread;
        return new()
        {
            _a = x, _b = x + 1, _c = x + 2, _d = x + 3, _e = x + 4, _f = x + 5, _g = x + 6, _h = x + 7,
            _i = x + 8, _j = x + 9, _k = x + 10, _l = x + 11, _m = x + 12, _n = x + 13, _o = x + 14, _p = x + 15,
        };
    }

    /// <summary>x ← x·factor + addend for each.</summary>
    public static Chains Step(Chains x, float factor, float addend) => new()
    {
        _a = DeviceMath.FusedMultiplyAdd(x._a, factor, addend),
        _b = DeviceMath.FusedMultiplyAdd(x._b, factor, addend),
        _c = DeviceMath.FusedMultiplyAdd(x._c, factor, addend),
        _d = DeviceMath.FusedMultiplyAdd(x._d, factor, addend),
        _e = DeviceMath.FusedMultiplyAdd(x._e, factor, addend),
        _f = DeviceMath.FusedMultiplyAdd(x._f, factor, addend),
        _g = DeviceMath.FusedMultiplyAdd(x._g, factor, addend),
        _h = DeviceMath.FusedMultiplyAdd(x._h, factor, addend),
        _i = DeviceMath.FusedMultiplyAdd(x._i, factor, addend),
        _j = DeviceMath.FusedMultiplyAdd(x._j, factor, addend),
        _k = DeviceMath.FusedMultiplyAdd(x._k, factor, addend),
        _l = DeviceMath.FusedMultiplyAdd(x._l, factor, addend),
        _m = DeviceMath.FusedMultiplyAdd(x._m, factor, addend),
        _n = DeviceMath.FusedMultiplyAdd(x._n, factor, addend),
        _o = DeviceMath.FusedMultiplyAdd(x._o, factor, addend),
        _p = DeviceMath.FusedMultiplyAdd(x._p, factor, addend),
    };

    /// <summary>All of them, in order.</summary>
    public static float Sum(Chains x) =>
        x._a + x._b + x._c + x._d + x._e + x._f + x._g + x._h + x._i + x._j + x._k + x._l + x._m + x._n + x._o + x._p;
}

/// <summary>Sums of a warp's tensor products that one thread keeps in registers, each added to on its own.</summary>
internal struct FragmentChains
{
    /// <summary>How many.</summary>
    public const int Count = 8;

    private SumFragment _a, _b, _c, _d, _e, _f, _g, _h;

    /// <summary>sums ← sums + rows · columnsᵀ for each.</summary>
    public static FragmentChains Step(FragmentChains x, RowFragment rows, ColumnFragment columns) => new()
    {
        _a = TensorCore.MultiplyAdd(x._a, rows, columns),
        _b = TensorCore.MultiplyAdd(x._b, rows, columns),
        _c = TensorCore.MultiplyAdd(x._c, rows, columns),
        _d = TensorCore.MultiplyAdd(x._d, rows, columns),
        _e = TensorCore.MultiplyAdd(x._e, rows, columns),
        _f = TensorCore.MultiplyAdd(x._f, rows, columns),
        _g = TensorCore.MultiplyAdd(x._g, rows, columns),
        _h = TensorCore.MultiplyAdd(x._h, rows, columns),
    };

    /// <summary>This thread's part of all of them.</summary>
    public static float Sum(FragmentChains x) => Sum(x._a) + Sum(x._b) + Sum(x._c) + Sum(x._d) + Sum(x._e) + Sum(x._f) + Sum(x._g) + Sum(x._h);

    private static float Sum(SumFragment x) => x.UpperLeft + x.UpperRight + x.LowerLeft + x.LowerRight;
}
