using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary>What a block of the vocabulary adds to the log-sum-exp and the entropy of its row.</summary>
/// <param name="Maximum">The largest logit; −∞ where no token can be drawn.</param>
/// <param name="Total">Σ e^(z − maximum).</param>
/// <param name="Weighted">Σ e^(z − maximum)·(z − maximum).</param>
internal readonly record struct BlockSums(float Maximum, float Total, float Weighted);

/// <summary>The sums of all blocks of a row.</summary>
/// <param name="LogSumExp">ln Σ e^z.</param>
/// <param name="Entropy">In nats.</param>
internal readonly record struct RowSums(float LogSumExp, float Entropy);

/// <summary>
/// Log-sum-exp and entropy of rows of scaled logits, for groups of threads: sums of blocks of <see cref="Block"/> tokens, each relative to
/// its own maximum and in one order of its own, and then the sum of the blocks in ascending order. Blocks may be summed by any group. The
/// policy loss and sampling both call these routines: that is why the log-prob recorded while sampling has the bits that training computes.
/// <para>
/// A compiler may fuse the exponential's last product, which is with a power of two, into the sum behind it: that is exact but for terms
/// below 2⁻¹²⁶, which the largest term, 1, swallows. All other sums of products here are fused by name.
/// </para>
/// </summary>
internal static class LogSoftmaxIlgpu
{
    /// <summary>Tokens of a block.</summary>
    public const int Block = 64;

    /// <summary>Partial sums of a block: lane l has the tokens l, l + Lanes, l + 2·Lanes …</summary>
    public const int Lanes = 8;

    /// <summary>Floats from one block to the next in shared memory: a few more than it has, so that the lanes of four blocks read different banks.</summary>
    public const int Pitch = Block + Lanes;

    /// <summary>Sums of a block in memory: maximum, total, weighted.</summary>
    public const int Sums = 3;

    /// <summary>Shared memory of <see cref="SumRow"/>, in floats.</summary>
    public const int RowMemory = (Sums * FixedTree.Lanes) + Sums;

    // e^−104 is 0 in f32, and 0·−104 too, where 0·−∞ would be NaN.
    private const float LeastDifference = -104;

    /// <summary>Where the token with this place in a row of blocks lies in their shared memory.</summary>
    public static int PlaceOf(int token) => (token / Block * Pitch) + DeviceMath.Modulo(token, Block);

    /// <summary>Blocks of a vocabulary.</summary>
    public static int BlocksOf(long vocabulary) => checked((int)((vocabulary + Block - 1) / Block));

    /// <summary>
    /// Divides the logits of some blocks by the temperature, and makes those beyond the vocabulary −∞; by all threads of a group. Each writes those
    /// that it reads in <see cref="SumLanes"/>, which may follow at once.
    /// </summary>
    /// <param name="z">[blocks, <see cref="Pitch"/>] of shared memory.</param>
    /// <param name="blocks">How many.</param>
    /// <param name="temperature">The temperature.</param>
    /// <param name="tokens">Tokens that each block has.</param>
    public static void Scale(ArrayView<float> z, int blocks, float temperature, int tokens)
    {
        for (int task = Group.IdxX; task < blocks * Lanes; task += Group.DimX)
        {
            int first = FirstToken(task), lane = DeviceMath.Modulo(task, Lanes);
            for (int i = 0; i < Block; i += Lanes) z[first + i] = lane + i < tokens ? z[first + i] / temperature : float.NegativeInfinity;
        }
    }

    /// <summary>
    /// The lanes' sums of some blocks, by all threads of a group, after a barrier behind whatever wrote the logits; another barrier must
    /// follow before <see cref="SumBlock"/>.
    /// </summary>
    /// <param name="lanes">[<see cref="Sums"/>, blocks, <see cref="Lanes"/>] of shared memory =.</param>
    /// <param name="z">[blocks, <see cref="Pitch"/>] of shared memory, −∞ where there is no token of the block.</param>
    /// <param name="blocks">How many.</param>
    public static void SumLanes(ArrayView<float> lanes, ArrayView<float> z, int blocks)
    {
        int tasks = blocks * Lanes;
        for (int task = Group.IdxX; task < tasks; task += Group.DimX)
        {
            int first = FirstToken(task);
            float maximum = float.NegativeInfinity;
            for (int i = 0; i < Block; i += Lanes)
            {
                if (z[first + i] > maximum) maximum = z[first + i];
            }

            lanes[task] = maximum;
        }

        Group.Barrier();
        for (int task = Group.IdxX; task < tasks; task += Group.DimX)
        {
            int first = FirstToken(task);
            float maximum = Finite(Maximum(lanes, task / Lanes)), total = 0, weighted = 0;
            for (int i = 0; i < Block; i += Lanes)
            {
                float difference = z[first + i] - maximum, e = DeviceMath.Exp(difference);
                total += e;
                weighted = DeviceMath.FusedMultiplyAdd(e, AtLeast(difference), weighted);
            }

            lanes[tasks + task] = total;
            lanes[(2 * tasks) + task] = weighted;
        }
    }

    /// <summary>Adds up the lanes of one block in ascending order, by any one thread.</summary>
    public static BlockSums SumBlock(ArrayView<float> lanes, int block, int blocks)
    {
        int tasks = blocks * Lanes;
        return new BlockSums(Maximum(lanes, block), Add(lanes, tasks + (block * Lanes)), Add(lanes, (2 * tasks) + (block * Lanes)));
    }

    /// <summary>The largest of some values, for every thread of a group; all of them must call it. −∞ of none, and NaN is passed over.</summary>
    /// <param name="lanes">[<see cref="FixedTree.Lanes"/>] of shared memory; free again afterwards.</param>
    /// <param name="values">In any memory.</param>
    /// <param name="count">How many.</param>
    public static float Maximum(ArrayView<float> lanes, ArrayView<float> values, int count)
    {
        float largest = float.NegativeInfinity;
        for (int i = Group.IdxX; i < count; i += Group.DimX)
        {
            if (values[i] > largest) largest = values[i];
        }

        lanes[Group.IdxX] = largest;
        Group.Barrier();
        for (int width = FixedTree.Lanes / 2; width > 0; width /= 2)
        {
            if (Group.IdxX < width && Group.IdxX + width < Group.DimX && lanes[Group.IdxX + width] > lanes[Group.IdxX])
                lanes[Group.IdxX] = lanes[Group.IdxX + width];
            Group.Barrier();
        }

        largest = lanes[0];
        Group.Barrier();
        return largest;
    }

    /// <summary>
    /// Adds up the blocks of a row in ascending order, for every thread of a group; all of them must call it. What a block needs is worked
    /// out side by side, and then one thread adds each sum.
    /// </summary>
    /// <param name="sums">[<see cref="Sums"/>, blocks].</param>
    /// <param name="blocks">How many.</param>
    /// <param name="memory">[<see cref="RowMemory"/>] shared; free again afterwards.</param>
    public static RowSums SumRow(ArrayView<float> sums, int blocks, ArrayView<float> memory)
    {
        const int factors = 0, totals = FixedTree.Lanes, weights = 2 * FixedTree.Lanes, results = Sums * FixedTree.Lanes;
        float maximum = Maximum(memory, sums, blocks), total = 0, weighted = 0;
        for (int start = 0; start < blocks; start += FixedTree.Lanes)
        {
            int count = IntrinsicMath.Min(FixedTree.Lanes, blocks - start);
            for (int i = Group.IdxX; i < count; i += Group.DimX)
            {
                float sum = sums[blocks + start + i];
                // An empty block, whose −∞ less −∞ would be NaN, adds nothing.
                float difference = sum == 0 ? 0 : sums[start + i] - maximum;
                memory[factors + i] = DeviceMath.Exp(difference);
                memory[totals + i] = sum;
                memory[weights + i] = DeviceMath.FusedMultiplyAdd(AtLeast(difference), sum, sums[(2 * blocks) + start + i]);
            }

            Group.Barrier();
            if (Group.IdxX == 0)
            {
                for (int i = 0; i < count; i++) total = DeviceMath.FusedMultiplyAdd(memory[factors + i], memory[totals + i], total);
            }

            if (Group.IdxX == Group.DimX - 1)
            {
                for (int i = 0; i < count; i++) weighted = DeviceMath.FusedMultiplyAdd(memory[factors + i], memory[weights + i], weighted);
            }

            Group.Barrier();
        }

        if (Group.IdxX == 0) memory[results] = total;
        if (Group.IdxX == Group.DimX - 1) memory[results + 1] = weighted;
        Group.Barrier();
        float logTotal = DeviceMath.Log(memory[results]);
        RowSums row = new(maximum + logTotal, logTotal - (memory[results + 1] / memory[results]));
        Group.Barrier();
        return row;
    }

    private static int FirstToken(int task) => (task / Lanes * Pitch) + DeviceMath.Modulo(task, Lanes);

    private static float Maximum(ArrayView<float> lanes, int block)
    {
        float maximum = lanes[block * Lanes];
        for (int lane = 1; lane < Lanes; lane++)
        {
            if (lanes[(block * Lanes) + lane] > maximum) maximum = lanes[(block * Lanes) + lane];
        }

        return maximum;
    }

    private static float Add(ArrayView<float> lanes, int first)
    {
        float sum = 0;
        for (int lane = 0; lane < Lanes; lane++) sum += lanes[first + lane];
        return sum;
    }

    private static float Finite(float maximum) => maximum == float.NegativeInfinity ? 0 : maximum;

    private static float AtLeast(float difference) => difference < LeastDifference ? LeastDifference : difference;
}
