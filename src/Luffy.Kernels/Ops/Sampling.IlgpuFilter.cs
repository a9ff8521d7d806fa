using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary>Bounds of the filters, as kernels take them.</summary>
internal readonly struct TokenFilter(in SamplingOptions options)
{
    /// <summary>Tokens that top-k keeps; 0 for all.</summary>
    public readonly int TopK = options.TopK;

    /// <summary>⌈top-p · 2³²⌉.</summary>
    public readonly ulong TopP = (ulong)Math.Ceiling((double)options.TopP * (1ul << 32));

    /// <summary>1 − top-p.</summary>
    public readonly float LeftOut = 1 - options.TopP;
}

/// <summary>
/// Values that <see cref="SamplingFilterKernels.Select{T}"/> chooses among: each has a key that sorts it and a measure that counts. Measures
/// are whole numbers, so a sum has the same bits in any order.
/// </summary>
internal interface ICandidates
{
    /// <summary>How many places there are to look at.</summary>
    int Length { get; }

    /// <summary>What the candidate at a place counts, 0 where there is none, and its key.</summary>
    long Measure(int place, out uint key);
}

/// <summary>The maxima of a row's blocks, each counting 1.</summary>
internal readonly struct BlockMaxima(ArrayView<float> maxima) : ICandidates
{
    /// <inheritdoc/>
    public int Length => maxima.IntLength;

    /// <inheritdoc/>
    public long Measure(int place, out uint key)
    {
        key = LogitKey.Of(maxima[place]);
        return 1;
    }
}

/// <summary>Tokens of the blocks in a list, as far as their logits are at least <see cref="Least"/>.</summary>
internal readonly struct ListedTokens(ArrayView<float> logits, ArrayView<int> list, int blocks, float temperature, float least)
{
    private readonly ArrayView<float> _logits = logits;
    private readonly ArrayView<int> _list = list;
    private readonly float _temperature = temperature;

    /// <summary>Places of all listed blocks.</summary>
    public readonly int Length = blocks * LogSoftmaxIlgpu.Block;

    /// <summary>The least logit of a candidate.</summary>
    public readonly float Least = least;

    /// <summary>The token at a place and its scaled logit; false where there is none, or one that is left out.</summary>
    public bool Find(int place, out int id, out float logit)
    {
        id = (_list[place / LogSoftmaxIlgpu.Block] * LogSoftmaxIlgpu.Block) + DeviceMath.Modulo(place, LogSoftmaxIlgpu.Block);
        logit = id < _logits.IntLength ? _logits[id] / _temperature : float.NaN;
        return !float.IsNaN(logit) && logit >= Least;
    }
}

/// <summary>Listed tokens, each counting 1.</summary>
internal readonly struct TokenCounts(ListedTokens tokens) : ICandidates
{
    /// <inheritdoc/>
    public int Length => tokens.Length;

    /// <inheritdoc/>
    public long Measure(int place, out uint key)
    {
        bool found = tokens.Find(place, out _, out float logit);
        key = LogitKey.Of(logit);
        return found ? 1 : 0;
    }
}

/// <summary>Listed tokens, each counting its probability beside the most probable one's, in units of 2⁻⁴⁰.</summary>
internal readonly struct TokenWeights(ListedTokens tokens, float maximum) : ICandidates
{
    /// <summary>A weight of 1.</summary>
    public const float One = 1L << 40;

    /// <inheritdoc/>
    public int Length => tokens.Length;

    /// <summary>The weight of a logit.</summary>
    public static long Weight(float logit, float maximum) => (long)(DeviceMath.Exp(logit - maximum) * One);

    /// <inheritdoc/>
    public long Measure(int place, out uint key)
    {
        bool found = tokens.Find(place, out _, out float logit);
        key = LogitKey.Of(logit);
        return found ? Weight(logit, maximum) : 0;
    }
}

/// <summary>Listed tokens with exactly the least logit, the lowest id first, each counting 1.</summary>
internal readonly struct TiedTokens(ListedTokens tokens) : ICandidates
{
    /// <inheritdoc/>
    public int Length => tokens.Length;

    /// <inheritdoc/>
    public long Measure(int place, out uint key)
    {
        bool found = tokens.Find(place, out int id, out float logit);
        key = ~(uint)id;
        return found && logit == tokens.Least ? 1 : 0;
    }
}

/// <summary>A float's bits made monotone, and back; −0 counts as 0.</summary>
internal static class LogitKey
{
    public static uint Of(float logit)
    {
        uint bits = logit == 0 ? 0 : Interop.FloatAsInt(logit);
        return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
    }

    public static float Logit(uint key) => Interop.IntAsFloat((key & 0x80000000u) != 0 ? key ^ 0x80000000u : ~key);
}

/// <summary>What <see cref="SamplingFilterKernels.Select{T}"/> found.</summary>
/// <param name="Key">The largest key such that it and all above measure what was wanted.</param>
/// <param name="Above">What those above it measure.</param>
/// <param name="Equal">What those equal to it measure; less than is missing where all together do not reach what was wanted.</param>
internal readonly record struct Selection(uint Key, long Above, long Equal);

/// <summary>
/// Top-k, top-p and min-p of rows of scaled logits, each on what the one before left, a group for each row. Every filter is a bound on the
/// logit; where tokens share the last one, an id says how many stay. A bound is found digit by digit of the logits' keys, from sums over
/// the tokens of blocks that can have it.
/// </summary>
internal static class SamplingFilterKernels
{
    private const int Digits = 16, DigitBits = 4, Parts = 16;

    // Of weights that matter beside rounding.
    private const float Margin = 0.001f, LeastShare = 1e-4f;

    /// <summary>The bounds of a row's filters.</summary>
    [Kernel]
    public static void Filter(ArrayView<KeptTokens> kept, ArrayView<int> lists, ArrayView<float> logits, ArrayView<float> sums, SamplingPass pass,
        TokenFilter filter)
    {
        ArrayView<float> lanes = SharedMemory.Allocate<float>(FixedTree.Lanes);
        ArrayView<long> counters = SharedMemory.Allocate<long>(Digits * FixedTree.Lanes);
        ArrayView<long> parts = SharedMemory.Allocate<long>(Digits * Parts);
        ArrayView<int> listed = SharedMemory.Allocate<int>(1);
        int row = Grid.IdxX, blocks = pass.Blocks;
        ArrayView<float> maxima = sums.SubView(2L * row * LogSoftmaxIlgpu.Sums * blocks, blocks);
        ArrayView<float> totals = sums.SubView((2L * row * LogSoftmaxIlgpu.Sums * blocks) + blocks, blocks);
        ArrayView<float> own = logits.SubView((long)row * pass.Vocabulary, pass.Vocabulary);
        ArrayView<int> list = lists.SubView((long)row * blocks, blocks);
        float maximum = LogSoftmaxIlgpu.Maximum(lanes, maxima, blocks), least = float.NegativeInfinity;
        int lastTie = int.MaxValue, length = 0;

        // Broken logits have no order to filter by.
        if (!(maximum > float.NegativeInfinity && maximum < float.PositiveInfinity))
        {
            if (Group.IdxX == 0) kept[row] = new KeptTokens(float.NaN, least, lastTie, least);
            return;
        }

        if (filter.TopK > 0 && filter.TopK < pass.Vocabulary)
        {
            // k blocks have a token at least as large as the k-th largest of the blocks' maxima.
            float bound = float.NegativeInfinity;
            if (filter.TopK <= blocks) bound = LogitKey.Logit(Select(new BlockMaxima(maxima), filter.TopK, counters, parts).Key);
            length = List(list, listed, maxima, bound);
            TokenCounts tokens = new(new ListedTokens(own, list, length, pass.Temperature, float.NegativeInfinity));
            Selection last = Select(tokens, filter.TopK, counters, parts);
            if (last.Above + last.Equal >= filter.TopK) least = LogitKey.Logit(last.Key);
        }

        if (filter.LeftOut > 0)
        {
            long total = 0;
            if (least == float.NegativeInfinity)
            {
                // Tokens below the bound weigh half of what may be left out, all together. Where that is next to nothing, rounding could
                // tell otherwise.
                float bound = float.NegativeInfinity;
                total = Sum(BlockWeights(maxima, totals, maximum, float.PositiveInfinity), counters);
                if (filter.LeftOut > LeastShare)
                    bound = maximum + DeviceMath.Log(0.5f * filter.LeftOut * (total / TokenWeights.One) / pass.Vocabulary) - Margin;
                length = List(list, listed, maxima, bound);
                total = BlockWeights(maxima, totals, maximum, bound);
            }

            ListedTokens candidates = new(own, list, length, pass.Temperature, least);
            TokenWeights weights = new(candidates, maximum);
            for (int i = Group.IdxX; i < weights.Length; i += Group.DimX) total += weights.Measure(i, out _);
            total = Sum(total, counters);
            long wanted = Share(total, filter.TopP);
            Selection last = Select(weights, wanted, counters, parts);
            if (last.Above + last.Equal >= wanted)
            {
                // Of the tokens that share the last logit those with the lowest ids that it takes to reach the mass.
                least = LogitKey.Logit(last.Key);
                long each = TokenWeights.Weight(least, maximum), needed = (wanted - last.Above + each - 1) / each;
                if (needed * each < last.Equal)
                {
                    TiedTokens ties = new(new ListedTokens(own, list, length, pass.Temperature, least));
                    lastTie = (int)~Select(ties, needed, counters, parts).Key;
                }
            }
        }

        float likely = pass.MinP > 0 ? maximum + DeviceMath.Log(pass.MinP) - Margin : float.NegativeInfinity;
        if (Group.IdxX == 0) kept[row] = new KeptTokens(maximum, least, lastTie, likely > least ? likely : least);
    }

    /// <summary>
    /// The largest key such that the candidates with it and with larger ones together measure <paramref name="wanted"/> or more, for every
    /// thread of a group; all of them must call it. A digit of 4 bits is found at a time: each thread adds up its own candidates for each of
    /// its values.
    /// </summary>
    /// <param name="candidates">What to choose from.</param>
    /// <param name="wanted">At least 1.</param>
    /// <param name="counters">[16, <see cref="FixedTree.Lanes"/>] of shared memory.</param>
    /// <param name="parts">[16, 16] of shared memory.</param>
    private static Selection Select<T>(in T candidates, long wanted, ArrayView<long> counters, ArrayView<long> parts) where T : struct, ICandidates
    {
        uint key = 0;
        long above = 0, equal = 0;
        for (int shift = 32 - DigitBits; shift >= 0; shift -= DigitBits)
        {
            for (int digit = 0; digit < Digits; digit++) counters[(digit * Group.DimX) + Group.IdxX] = 0;
            for (int i = Group.IdxX; i < candidates.Length; i += Group.DimX)
            {
                long measure = candidates.Measure(i, out uint its);
                if (measure == 0 || (its ^ key) >> shift >= Digits) continue;
                counters[((int)((its >> shift) & (Digits - 1)) * Group.DimX) + Group.IdxX] += measure;
            }

            Group.Barrier();
            for (int task = Group.IdxX; task < Digits * Parts; task += Group.DimX)
            {
                long part = 0;
                for (int i = DeviceMath.Modulo(task, Parts); i < Group.DimX; i += Parts) part += counters[(task / Parts * Group.DimX) + i];
                parts[task] = part;
            }

            Group.Barrier();
            uint found = Digits;
            do
            {
                found--;
                above += equal;
                equal = 0;
                for (int i = 0; i < Parts; i++) equal += parts[((int)found * Parts) + i];
            }
            while (found > 0 && above + equal < wanted);
            key |= found << shift;
            if (shift > 0) equal = 0;
            Group.Barrier();
        }

        return new Selection(key, above, equal);
    }

    /// <summary>Lists the blocks whose maximum is not below a bound, in any order, and returns how many they are.</summary>
    private static int List(ArrayView<int> list, ArrayView<int> listed, ArrayView<float> maxima, float bound)
    {
        if (Group.IdxX == 0) listed[0] = 0;
        Group.Barrier();
        for (int block = Group.IdxX; block < maxima.IntLength; block += Group.DimX)
        {
            if (!(maxima[block] < bound)) list[Atomic.Add(ref listed[0], 1)] = block;
        }

        Group.Barrier();
        int length = listed[0];
        Group.Barrier();
        return length;
    }

    /// <summary>This thread's part of the weight of all blocks whose maximum is below a bound.</summary>
    private static long BlockWeights(ArrayView<float> maxima, ArrayView<float> totals, float maximum, float bound)
    {
        long weight = 0;
        for (int block = Group.IdxX; block < maxima.IntLength; block += Group.DimX)
        {
            // The total of a block with a broken logit is no number.
            float total = totals[block];
            if (maxima[block] < bound && !float.IsNaN(total) && total > 0) weight += (long)(total * DeviceMath.Exp(maxima[block] - maximum) * TokenWeights.One);
        }

        return weight;
    }

    /// <summary>The sum of all threads' numbers, for each of them.</summary>
    private static long Sum(long own, ArrayView<long> memory)
    {
        memory[Group.IdxX] = own;
        Group.Barrier();
        for (int width = FixedTree.Lanes / 2; width > 0; width /= 2)
        {
            if (Group.IdxX < width && Group.IdxX + width < Group.DimX) memory[Group.IdxX] += memory[Group.IdxX + width];
            Group.Barrier();
        }

        long sum = memory[0];
        Group.Barrier();
        return sum;
    }

    // ⌈total · share · 2⁻³²⌉ and at least 1, in two halves, because the product has more than 64 bits.
    private static long Share(long total, ulong share)
    {
        ulong upper = (ulong)total >> 32, lower = (ulong)total & 0xFFFFFFFFul;
        ulong wanted = (upper * share) + (((lower * share) + 0xFFFFFFFFul) >> 32);
        return wanted == 0 ? 1 : (long)wanted;
    }
}
