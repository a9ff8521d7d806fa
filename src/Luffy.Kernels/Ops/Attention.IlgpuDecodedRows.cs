using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary>What one launch takes of the sequences that are decoded, and how its results lie.</summary>
internal readonly struct DecodedBatch(int first, int tableWidth, int rowsOfHead, int chunks, int chunkKeys)
{
    /// <summary>The first sequence.</summary>
    public readonly int First = first;

    /// <summary>Pages of a row of the table.</summary>
    public readonly int TableWidth = tableWidth;

    /// <summary>Rows of a key-value head that results have room for.</summary>
    public readonly int RowsOfHead = rowsOfHead;

    /// <summary>Chunks of the longest context.</summary>
    public readonly int Chunks = chunks;

    /// <summary>Keys of a chunk.</summary>
    public readonly int ChunkKeys = chunkKeys;

    /// <summary>Groups that take those rows.</summary>
    public int TilesOfHead => (RowsOfHead + AttentionKernels.DecodedRows - 1) / AttentionKernels.DecodedRows;
}

/// <summary>The softmax of the rows of a decoding group, in memory that it shares: the steps of the forward pass, part by part of a block.</summary>
internal readonly struct DecodedStatistics(ArrayView<float> maxima, ArrayView<float> totals, ArrayView<float> next, ArrayView<float> factors,
    ArrayView<float> partMaxima, ArrayView<float> partSums)
{
    private const int Rows = AttentionKernels.DecodedRows, Keys = AttentionKernels.PartKeys, MostParts = SquareTile.LargestSide / Keys;

    /// <summary>The largest score of each row.</summary>
    public ArrayView<float> Maxima => maxima;

    /// <summary>The sum of each row's weights.</summary>
    public ArrayView<float> Totals => totals;

    /// <summary>What each row's sums are multiplied with when a block is added.</summary>
    public ArrayView<float> Factors => factors;

    /// <summary>Memory for them.</summary>
    public static DecodedStatistics Allocate() => new(SharedMemory.Allocate<float>(Rows), SharedMemory.Allocate<float>(Rows),
        SharedMemory.Allocate<float>(Rows), SharedMemory.Allocate<float>(Rows), SharedMemory.Allocate<float>(Rows * MostParts),
        SharedMemory.Allocate<float>(Rows * MostParts));

    /// <summary>No keys yet.</summary>
    public void Clear()
    {
        for (int row = Group.IdxX; row < Rows; row += Group.DimX)
        {
            maxima[row] = float.NegativeInfinity;
            totals[row] = 0;
        }
    }

    /// <summary>
    /// Scores [keys of a block][<see cref="AttentionKernels.DecodedRows"/>] become weights. <paramref name="start"/> counts the block's first key
    /// from the first that the call's own tokens have.
    /// </summary>
    public void Weigh<TSide>(ArrayView<float> scores, int first, int rows, int start, AttentionGeometry shape) where TSide : unmanaged, ITileSide
    {
        for (int i = Group.IdxX; i < Rows * TSide.Side / Keys; i += Group.DimX)
        {
            int row = DeviceMath.Modulo(i, Rows), part = i / Rows, seen = Seen(first, row, rows, start, shape) - (Keys * part);
            float maximum = float.NegativeInfinity;
            for (int key = 0, at = (Keys * part * Rows) + row; key < Keys; key++, at += Rows)
                maximum = IntrinsicMath.Max(maximum, key < seen ? scores[at] : float.NegativeInfinity);
            partMaxima[i] = maximum;
        }

        Group.Barrier();
        for (int i = Group.IdxX; i < Rows * TSide.Side; i += Group.DimX)
        {
            int row = DeviceMath.Modulo(i, Rows), key = i / Rows;
            float before = maxima[row], maximum = IntrinsicMath.Max(before, AttentionKernels.LargestPart<TSide>(partMaxima, row, Rows));
            float weight = DeviceMath.Exp2OfProduct(scores[i] - maximum, shape.Power);
            scores[i] = key < Seen(first, row, rows, start, shape) ? weight : 0;
            if (key > 0) continue;
            factors[row] = AttentionKernels.Rescale(before, maximum, shape.Power);
            next[row] = maximum;
        }

        Group.Barrier();
        for (int i = Group.IdxX; i < Rows * TSide.Side / Keys; i += Group.DimX)
        {
            float sum = 0;
            for (int key = 0, at = (Keys * (i / Rows) * Rows) + DeviceMath.Modulo(i, Rows); key < Keys; key++, at += Rows) sum += scores[at];
            partSums[i] = sum;
        }
    }

    /// <summary>The block counts. A barrier after <see cref="Weigh"/>, and one before the results are read.</summary>
    public void Advance<TSide>() where TSide : unmanaged, ITileSide
    {
        for (int row = Group.IdxX; row < Rows; row += Group.DimX)
        {
            totals[row] = DeviceMath.FusedMultiplyAdd(totals[row], factors[row], AttentionKernels.SumOfParts<TSide>(partSums, row, Rows));
            maxima[row] = next[row];
        }
    }

    private static int Seen(int first, int row, int rows, int start, AttentionGeometry shape) =>
        row < rows ? (int)((uint)(first + row) / (uint)shape.Group) + 1 - start : 0;
}
