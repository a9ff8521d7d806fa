using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary>
/// <see cref="ISampling"/> on any GPU. A row's vocabulary is cut into ranges of blocks, a group of threads for each: block sums, and where no
/// filter waits for all of them, the draw. With filters a group a row finds the bounds of what they keep, without sorting, and a second round
/// over the ranges reads the blocks that hold kept tokens.
/// </summary>
internal sealed class SamplingIlgpu(IlgpuContext context) : ISampling
{
    /// <inheritdoc/>
    public long ScratchBytes(long rows, long vocabulary) => new SamplingScratch(null, default, rows, vocabulary).Bytes;

    /// <inheritdoc/>
    public void Sample(in Tensor ids, in Tensor logProbs, in Tensor sampledLogProbs, in Tensor logits, in Tensor keys,
        in SamplingOptions options, in Tensor scratch)
    {
        SamplingChecks.Sample(ids, logProbs, sampledLogProbs, logits, keys, options, scratch, this);
        context.CheckOwn(ids, logProbs, sampledLogProbs, logits, keys, scratch);
        context.Overwrites(ids);
        long rows = logits.D0;
        if (rows == 0) return;

        SamplingPass pass = new(logits.RowLength, options);
        SamplingScratch memory = new(context, scratch, rows, logits.RowLength);
        ArrayView<float> values = context.View<float>(logits);
        ArrayView<int> key = context.View<int>(keys);
        var ranges = context.Rows(rows * pass.Ranges);
        context.Launch(SamplingKernels.Draw, ranges, memory.Drawn, memory.Sums, memory.Kept, values, key, pass);
        if (pass.Filters)
        {
            context.Launch(SamplingFilterKernels.Filter, context.Rows(rows), memory.Kept, memory.Lists, values, memory.Sums, pass, new TokenFilter(options));
            pass = pass.Filtered();
            context.Launch(SamplingKernels.Draw, ranges, memory.Drawn, memory.Sums, memory.Kept, values, key, pass);
        }

        context.Launch(SamplingKernels.Finish, context.Rows(rows), context.View<int>(ids), context.View<float>(logProbs),
            context.View<float>(sampledLogProbs), values, memory.Drawn, memory.Sums, pass);
    }
}

/// <summary>The largest noisy logit of some tokens; id 0 where none can be drawn.</summary>
/// <param name="Value">z/T with its noise.</param>
/// <param name="Id">Its token, the lowest among equals.</param>
internal readonly record struct DrawnToken(float Value, int Id)
{
    /// <summary>Of no tokens.</summary>
    public static DrawnToken None => new(float.NegativeInfinity, 0);

    /// <summary>The larger of two, in any order.</summary>
    public DrawnToken Or(DrawnToken other) =>
        other.Value > Value || (other.Value == Value && other.Id < Id) ? other : this;
}

/// <summary>What filters keep of a row: tokens above <see cref="Least"/>, and those equal to it up to <see cref="LastTie"/>.</summary>
/// <param name="Maximum">The row's largest logit, which min-p compares with; NaN where the row is not filtered.</param>
/// <param name="Least">The least logit.</param>
/// <param name="LastTie">The last id with exactly that logit.</param>
/// <param name="Bound">Blocks whose maximum lies below it have no kept token.</param>
internal readonly record struct KeptTokens(float Maximum, float Least, int LastTie, float Bound)
{
    /// <summary>Whether a token stays.</summary>
    public bool Keep(float logit, int id, float minP) =>
        !(logit < Least) && !(logit == Least && id > LastTie) && !(minP > 0 && DeviceMath.Exp(logit - Maximum) < minP);
}

/// <summary>One round over the logits.</summary>
internal readonly struct SamplingPass
{
    public readonly int Vocabulary, Blocks, Ranges;

    // Whether there is noise, whether there are filters, and whether they have run; as numbers, for kernels.
    public readonly int Noisy, Filtering, Second;

    public readonly float Temperature, MinP;

    public readonly ulong Seed;

    public SamplingPass(long vocabulary, in SamplingOptions options)
    {
        bool greedy = options.Temperature == 0;
        Vocabulary = checked((int)vocabulary);
        Blocks = LogSoftmaxIlgpu.BlocksOf(vocabulary);
        Ranges = SamplingKernels.RangesOf(vocabulary);
        (Temperature, MinP, Seed) = (greedy ? 1 : options.Temperature, options.MinP, options.Seed);
        (Noisy, Filtering) = (greedy ? 0 : 1, greedy || options.KeepsAll ? 0 : 1);
    }

    private SamplingPass(in SamplingPass first)
    {
        this = first;
        Second = 1;
    }

    public bool Filters => Filtering != 0;

    /// <summary>The same over what filters kept.</summary>
    public SamplingPass Filtered() => new(this);
}

/// <summary>The scratch of sampling.</summary>
internal readonly ref struct SamplingScratch
{
    /// <summary>Where everything lies.</summary>
    public SamplingScratch(IlgpuContext? context, Tensor scratch, long rows, long vocabulary)
    {
        ScratchLayout layout = new(context, scratch);
        long blocks = LogSoftmaxIlgpu.BlocksOf(vocabulary);
        Sums = layout.Take<float>(rows * 2 * LogSoftmaxIlgpu.Sums * blocks);
        Lists = layout.Take<int>(rows * blocks);
        Drawn = layout.Take<DrawnToken>(rows * SamplingKernels.RangesOf(vocabulary));
        Kept = layout.Take<KeptTokens>(rows);
        Bytes = layout.Bytes;
    }

    /// <summary>All of it.</summary>
    public long Bytes { get; }

    /// <summary>[rows, 2, 3, blocks]: sums of blocks, of all tokens and of what filters keep.</summary>
    public ArrayView<float> Sums { get; }

    /// <summary>[rows, blocks]: the blocks that a filter reads.</summary>
    public ArrayView<int> Lists { get; }

    /// <summary>[rows, ranges].</summary>
    public ArrayView<DrawnToken> Drawn { get; }

    /// <summary>[rows].</summary>
    public ArrayView<KeptTokens> Kept { get; }
}

/// <summary>The kernels of <see cref="SamplingIlgpu"/> that draw.</summary>
internal static class SamplingKernels
{
    // Blocks of a range: with their lanes as many as a group has threads.
    private const int RangeBlocks = FixedTree.Lanes / LogSoftmaxIlgpu.Lanes;

    private const int RangeTokens = RangeBlocks * LogSoftmaxIlgpu.Block;

    /// <summary>Ranges of a vocabulary.</summary>
    public static int RangesOf(long vocabulary) => checked((int)((vocabulary + RangeTokens - 1) / RangeTokens));

    /// <summary>Sums of the blocks of a range, and its token with the largest noisy logit unless filters are still to come; a group for each range.</summary>
    [Kernel]
    public static void Draw(ArrayView<DrawnToken> drawn, ArrayView<float> sums, ArrayView<KeptTokens> kept, ArrayView<float> logits, ArrayView<int> keys,
        SamplingPass pass)
    {
        ArrayView<float> z = SharedMemory.Allocate<float>(RangeBlocks * LogSoftmaxIlgpu.Pitch);
        ArrayView<float> lanes = SharedMemory.Allocate<float>(LogSoftmaxIlgpu.Sums * FixedTree.Lanes);
        ArrayView<DrawnToken> best = SharedMemory.Allocate<DrawnToken>(FixedTree.Lanes);
        int row = Grid.IdxX / pass.Ranges, range = Grid.IdxX - (row * pass.Ranges), firstBlock = range * RangeBlocks, start = range * RangeTokens;
        int blocks = IntrinsicMath.Min(RangeBlocks, pass.Blocks - firstBlock);
        long sumsAt = 2L * row * LogSoftmaxIlgpu.Sums * pass.Blocks;
        if (pass.Second == 0) Load(z, blocks, start, logits, row, pass);
        else LoadKept(z, blocks, start, logits, row, pass, kept[row], sums.SubView(sumsAt + firstBlock, blocks));
        Group.Barrier();
        LogSoftmaxIlgpu.SumLanes(lanes, z, blocks);
        Group.Barrier();
        sumsAt += firstBlock + (pass.Second == 0 ? 0 : (long)LogSoftmaxIlgpu.Sums * pass.Blocks);
        for (int block = Group.IdxX; block < blocks; block += Group.DimX)
        {
            BlockSums sum = LogSoftmaxIlgpu.SumBlock(lanes, block, blocks);
            sums[sumsAt + block] = sum.Maximum;
            sums[sumsAt + pass.Blocks + block] = sum.Total;
            sums[sumsAt + (2L * pass.Blocks) + block] = sum.Weighted;
        }

        if (pass.Filtering != pass.Second) return;
        DrawnToken token = pass.Noisy == 0 ? Largest(z, blocks, start) : LargestNoisy(z, blocks, start, keys.SubView(3L * row, 3), pass.Seed);
        token = LargestOfGroup(best, token);
        if (Group.IdxX == 0) drawn[Grid.IdxX] = token;
    }

    /// <summary>The token of a row, and its log-probs; a group for each row.</summary>
    [Kernel]
    public static void Finish(ArrayView<int> ids, ArrayView<float> logProbs, ArrayView<float> sampledLogProbs, ArrayView<float> logits,
        ArrayView<DrawnToken> drawn, ArrayView<float> sums, SamplingPass pass)
    {
        ArrayView<DrawnToken> best = SharedMemory.Allocate<DrawnToken>(FixedTree.Lanes);
        ArrayView<float> memory = SharedMemory.Allocate<float>(LogSoftmaxIlgpu.RowMemory);
        int row = Grid.IdxX;
        long length = (long)LogSoftmaxIlgpu.Sums * pass.Blocks;
        DrawnToken token = DrawnToken.None;
        for (int range = Group.IdxX; range < pass.Ranges; range += Group.DimX) token = token.Or(drawn[((long)row * pass.Ranges) + range]);
        token = LargestOfGroup(best, token);
        float z = logits[((long)row * pass.Vocabulary) + token.Id] / pass.Temperature;
        float full = z - LogSoftmaxIlgpu.SumRow(sums.SubView(2 * row * length, length), pass.Blocks, memory).LogSumExp;
        float kept = pass.Noisy == 0 ? 0 : full;
        // The same routine over the same values gives the same bits where the filters kept everything.
        if (pass.Filtering != 0) kept = z - LogSoftmaxIlgpu.SumRow(sums.SubView(((2 * row) + 1) * length, length), pass.Blocks, memory).LogSumExp;
        if (Group.IdxX != 0) return;
        ids[row] = token.Id;
        logProbs[row] = full;
        sampledLogProbs[row] = kept;
    }

    private static void Load(ArrayView<float> z, int blocks, int start, ArrayView<float> logits, int row, in SamplingPass pass)
    {
        long at = ((long)row * pass.Vocabulary) + start;
        int tokens = IntrinsicMath.Min(RangeTokens, pass.Vocabulary - start);
        for (int i = Group.IdxX; i < blocks * LogSoftmaxIlgpu.Block; i += Group.DimX)
            z[LogSoftmaxIlgpu.PlaceOf(i)] = i < tokens ? logits[at + i] / pass.Temperature : float.NegativeInfinity;
    }

    // What filters removed becomes −∞; of blocks that have no kept token nothing is read.
    private static void LoadKept(ArrayView<float> z, int blocks, int start, ArrayView<float> logits, int row, in SamplingPass pass, in KeptTokens kept,
        ArrayView<float> maxima)
    {
        long at = ((long)row * pass.Vocabulary) + start;
        int tokens = IntrinsicMath.Min(RangeTokens, pass.Vocabulary - start);
        for (int i = Group.IdxX; i < blocks * LogSoftmaxIlgpu.Block; i += Group.DimX)
        {
            float value = float.NegativeInfinity;
            if (i < tokens && !(maxima[i / LogSoftmaxIlgpu.Block] < kept.Bound))
            {
                float logit = logits[at + i] / pass.Temperature;
                if (kept.Keep(logit, start + i, pass.MinP)) value = logit;
            }

            z[LogSoftmaxIlgpu.PlaceOf(i)] = value;
        }
    }

    private static DrawnToken Largest(ArrayView<float> z, int blocks, int start)
    {
        DrawnToken best = DrawnToken.None;
        for (int i = Group.IdxX; i < blocks * LogSoftmaxIlgpu.Block; i += Group.DimX)
            best = best.Or(new DrawnToken(z[LogSoftmaxIlgpu.PlaceOf(i)], start + i));
        return best;
    }

    private static DrawnToken LargestNoisy(ArrayView<float> z, int blocks, int start, ArrayView<int> key, ulong seed)
    {
        DrawnToken best = DrawnToken.None;
        uint prompt = (uint)key[0], sample = (uint)key[1], position = (uint)key[2];
        for (int i = 4 * Group.IdxX; i < blocks * LogSoftmaxIlgpu.Block; i += 4 * Group.DimX)
        {
            int at = LogSoftmaxIlgpu.PlaceOf(i);
            float a = z[at], b = z[at + 1], c = z[at + 2], d = z[at + 3];
            // Removed or beyond the vocabulary, all four.
            if (a == float.NegativeInfinity && b == a && c == a && d == a) continue;
            int id = start + i;
            (uint w0, uint w1, uint w2, uint w3) = Philox.Generate((uint)id / 4, prompt, sample, position, seed);
            best = best.Or(new DrawnToken(a + Gumbel(w0), id)).Or(new DrawnToken(b + Gumbel(w1), id + 1))
                .Or(new DrawnToken(c + Gumbel(w2), id + 2)).Or(new DrawnToken(d + Gumbel(w3), id + 3));
        }

        return best;
    }

    /// <summary><see cref="Philox.Gumbel"/> with the logarithm that every device has.</summary>
    private static float Gumbel(uint word) => -DeviceMath.Log(-DeviceMath.Log(((int)(word >> 9) + 0.5f) * (1.0f / (1 << 23))));

    private static DrawnToken LargestOfGroup(ArrayView<DrawnToken> memory, DrawnToken own)
    {
        memory[Group.IdxX] = own;
        Group.Barrier();
        for (int width = FixedTree.Lanes / 2; width > 0; width /= 2)
        {
            if (Group.IdxX < width && Group.IdxX + width < Group.DimX) memory[Group.IdxX] = memory[Group.IdxX].Or(memory[Group.IdxX + width]);
            Group.Barrier();
        }

        return memory[0];
    }
}
