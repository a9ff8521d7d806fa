using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

// The forward pass. A row is one head of one query. Its result is defined without any tile of rows: keys come in blocks from the sequence's start,
// four of them a chunk. Within a chunk runs the online softmax of Milakov and Gimelshein (arXiv 1805.02867), a step a block; the chunks' sums
// are then merged in ascending order, as if each had been worked out somewhere else, which is what decoding does with them.
internal static partial class AttentionKernels
{
    /// <summary>log₂ e.</summary>
    public const float Log2E = 1.44269504f;

    /// <summary>Keys of a block that one thread of a row looks after: sides are as many, or four times as many.</summary>
    public const int PartKeys = 16;

    /// <summary>Keys of a chunk.</summary>
    public static int Chunk<TSide>() where TSide : unmanaged, ITileSide => 4 * TSide.Side;

    /// <summary>Keys from the batch itself. A group has a tile of rows of a key-value head.</summary>
    [Kernel(Variants = [typeof(Width64), typeof(Width128), typeof(AnyWidth), typeof(SmallWidth)], Threads = SquareTile.MostThreads, Groups = [2, 2, 1, 1])]
    public static void Forward<T, TWidth>(ArrayView<T> y, ArrayView<float> logSumExp, ArrayView<T> qkv, ArrayView<int> starts, AttentionGeometry shape)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
    {
        TilePlace place = TilePlace.Find<TWidth>(starts, shape.Group);
        if (place.First >= place.Tokens * shape.Group) return;
        Attend<T, TWidth, PackedRows>(y, logSumExp, qkv, qkv, PackedKeys(place, shape), shape.KeyValueHeads * shape.HeadDim, place, 0, shape);
    }

    /// <summary>Keys from the cache, for sequences of more queries than <see cref="IsDecoded"/> takes.</summary>
    [Kernel(Variants = [typeof(Width64), typeof(Width128), typeof(AnyWidth), typeof(SmallWidth)], Threads = SquareTile.MostThreads, Groups = [2, 2, 1, 1])]
    public static void ForwardPaged<T, TWidth>(ArrayView<T> y, ArrayView<T> qkv, ArrayView<T> cache, ArrayView<int> table, int tableWidth,
        ArrayView<int> starts, ArrayView<int> contexts, AttentionGeometry shape)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
    {
        TilePlace place = TilePlace.Find<TWidth>(starts, shape.Group);
        if (place.First >= place.Tokens * shape.Group || IsDecoded(place.Tokens, shape.Group)) return;
        int context = contexts[place.Sequence];
        PagedRows keys = new(table, place.Sequence * tableWidth, Grid.IdxY, 2 * shape.KeyValueHeads, shape.HeadDim, context);
        Attend<T, TWidth, PagedRows>(y, ArrayView<float>.Empty, qkv, cache, keys, PagedRows.ValueShift(shape), place, context - place.Tokens, shape);
    }

    /// <summary>Keys of a sequence in packed rows, for the key-value head that a group has.</summary>
    public static PackedRows PackedKeys(TilePlace place, AttentionGeometry shape)
    {
        long first = ((long)place.Begin * shape.PackedHeads) + shape.Heads + Grid.IdxY;
        return new PackedRows(first * shape.HeadDim, shape.PackedHeads * shape.HeadDim, place.Tokens);
    }

    private static void Attend<T, TWidth, TKeys>(ArrayView<T> y, ArrayView<float> logSumExp, ArrayView<T> qkv, ArrayView<T> storage, TKeys keys,
        int valueShift, TilePlace place, int earlier, AttentionGeometry shape)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
        where TKeys : struct, IHeadRows
    {
        // Queries make room for scores, which become weights, and keys for values.
        ArrayView<Float4> queryTile = SharedMemory.Allocate<Float4>(SquareTile.Length), keyTile = SharedMemory.Allocate<Float4>(SquareTile.Length);
        ArrayView<float> maxima = SharedMemory.Allocate<float>(SquareTile.MostThreads), sums = SharedMemory.Allocate<float>(SquareTile.MostThreads);
        ArrayView<float> factors = SharedMemory.Allocate<float>(SquareTile.LargestSide), addedFactors = SharedMemory.Allocate<float>(SquareTile.LargestSide);
        ArrayView<float> totalMaxima = SharedMemory.Allocate<float>(SquareTile.LargestSide), totals = SharedMemory.Allocate<float>(SquareTile.LargestSide);
        int firstHead = Grid.IdxY * shape.Group, slices = HeadTile.Slices<TWidth>(shape.HeadDim);
        ArrayView<int> heads = SharedMemory.Allocate<int>(SquareTile.LargestSide);
        ListedRows queries = new(heads, TWidth.Side, place.Begin, shape.PackedHeads, firstHead, shape.HeadDim);
        ListedRows.List<TWidth>(heads, place.First, place.Tokens * shape.Group, shape.PackedHeads, shape.Group);

        ShiftedRows<TKeys> values = new(keys, valueShift);

        // For each row a few threads look after the softmax, each after 16 keys of a block; all of them know its maximum and sum.
        int side = TWidth.Side, row = DeviceMath.Modulo(Group.IdxX, side), part = (int)((uint)Group.IdxX / (uint)side);
        int rows = place.Tokens * shape.Group, seen = place.First + row < rows ? earlier + ((place.First + row) / shape.Group) + 1 : 0;
        int end = earlier + ((IntrinsicMath.Min(place.First + side, rows) - 1) / shape.Group) + 1;
        float maximum = float.NegativeInfinity, sum = 0;
        if (part == 0)
        {
            totalMaxima[row] = float.NegativeInfinity;
            totals[row] = 0;
        }

        Group.Barrier();
        SquareTile output0 = default, output1 = default, total0 = default, total1 = default;

        for (int start = 0; start < end; start += side)
        {
            SquareTile scores = default;
            FetchedRows<T> fetchedValues = default;
            for (int slice = 0; slice < slices; slice++)
            {
                HeadTile.Load<T, TWidth, ListedRows, TKeys>(queryTile, qkv, queries, 0, keyTile, storage, keys, start, slice, shape.HeadDim);
                Group.Barrier();
                if (TWidth.Slices == 1) fetchedValues = HeadTile.Fetch<T, TWidth, ShiftedRows<TKeys>>(storage, values, start, 0, shape.HeadDim);
                scores = SquareTile.AddDots<TWidth>(scores, queryTile, keyTile, HeadTile.Quads<TWidth>(shape.HeadDim, slice));
                Group.Barrier();
            }

            if (TWidth.Slices > 1) fetchedValues = HeadTile.Fetch<T, TWidth, ShiftedRows<TKeys>>(storage, values, start, 0, shape.HeadDim);
            SquareTile.Store<TWidth>(queryTile, scores);
            HeadTile.Put<T, TWidth>(keyTile, fetchedValues);
            Group.Barrier();
            maxima[Group.IdxX] = Maximum<TWidth>(queryTile, row, part, seen - start);
            Group.Barrier();
            float next = IntrinsicMath.Max(maximum, LargestPart<TWidth>(maxima, row, side));
            float factor = Rescale(maximum, next, shape.Power);
            sums[Group.IdxX] = Weigh<TWidth>(queryTile, row, part, seen - start, next, shape.Power);
            if (part == 0) factors[row] = factor;
            maximum = next;
            Group.Barrier();
            sum = DeviceMath.FusedMultiplyAdd(sum, factor, SumOfParts<TWidth>(sums, row, side));
            output0 = SquareTile.AddProduct<TWidth>(SquareTile.ScaleRows<TWidth>(output0, factors), queryTile, keyTile);
            if (TWidth.Slices > 1 && slices > 1)
            {
                fetchedValues = HeadTile.Fetch<T, TWidth, ShiftedRows<TKeys>>(storage, values, start, 1, shape.HeadDim);
                Group.Barrier();
                HeadTile.Put<T, TWidth>(keyTile, fetchedValues);
                Group.Barrier();
                output1 = SquareTile.AddProduct<TWidth>(SquareTile.ScaleRows<TWidth>(output1, factors), queryTile, keyTile);
            }

            Group.Barrier();
            if (DeviceMath.Modulo(start + side, Chunk<TWidth>()) != 0 && start + side < end) continue;

            // The chunk is complete.
            if (part == 0)
            {
                float before = totalMaxima[row], after = IntrinsicMath.Max(before, maximum), now = Rescale(maximum, after, shape.Power);
                before = Rescale(before, after, shape.Power);
                totals[row] = DeviceMath.FusedMultiplyAdd(sum, now, totals[row] * before);
                totalMaxima[row] = after;
                factors[row] = before;
                addedFactors[row] = now;
            }

            Group.Barrier();
            total0 = SquareTile.AddScaledRows<TWidth>(SquareTile.ScaleRows<TWidth>(total0, factors), output0, addedFactors);
            if (TWidth.Slices > 1) total1 = SquareTile.AddScaledRows<TWidth>(SquareTile.ScaleRows<TWidth>(total1, factors), output1, addedFactors);
            Group.Barrier();
            (maximum, sum, output0, output1) = (float.NegativeInfinity, 0, default, default);
        }

        if (part == 0)
        {
            factors[row] = 1 / totals[row];
            if (seen > 0 && logSumExp.Length > 0)
            {
                long token = place.Begin + ((place.First + row) / shape.Group), head = firstHead + ((place.First + row) % shape.Group);
                logSumExp[(token * shape.Heads) + head] = DeviceMath.FusedMultiplyAdd(totalMaxima[row], shape.Scale, DeviceMath.Log(totals[row]));
            }
        }

        Group.Barrier();
        QueryRows outputs = new(place.Begin, place.Tokens, shape.Heads, firstHead, shape.Group, shape.HeadDim);
        StoreTile<T, TWidth, QueryRows>(y, outputs, place.First, 0, shape.HeadDim, SquareTile.ScaleRows<TWidth>(total0, factors));
        if (TWidth.Slices > 1) StoreTile<T, TWidth, QueryRows>(y, outputs, place.First, 1, shape.HeadDim, SquareTile.ScaleRows<TWidth>(total1, factors));
    }

    /// <summary>What earlier sums are multiplied with when the maximum of their scores moves; 1 where it stays, though it may be −∞.</summary>
    public static float Rescale(float before, float after, float power)
    {
        float factor = DeviceMath.Exp2OfProduct(before - after, power);
        return before == after ? 1 : factor;
    }

    /// <summary>The largest of a row's parts, which lie so far apart.</summary>
    public static float LargestPart<TSide>(ArrayView<float> parts, int row, int step) where TSide : unmanaged, ITileSide
    {
        float first = parts[row];
        if (TSide.Side == PartKeys) return first;
        return IntrinsicMath.Max(IntrinsicMath.Max(first, parts[row + step]), IntrinsicMath.Max(parts[row + (2 * step)], parts[row + (3 * step)]));
    }

    /// <summary>The sum of a row's parts, which lie so far apart.</summary>
    public static float SumOfParts<TSide>(ArrayView<float> parts, int row, int step) where TSide : unmanaged, ITileSide
    {
        float first = parts[row];
        if (TSide.Side == PartKeys) return first;
        return (first + parts[row + step]) + (parts[row + (2 * step)] + parts[row + (3 * step)]);
    }

    // The largest of a row's scores that are a part of a block, of which it sees the first `seen`.
    private static float Maximum<TSide>(ArrayView<Float4> scores, int row, int part, int seen) where TSide : unmanaged, ITileSide
    {
        float maximum = float.NegativeInfinity;
        int at = (row * SquareTile.Stride<TSide>()) + (PartKeys / 4 * part), left = seen - (PartKeys * part);
        for (int i = 0; i < 4; i++, left -= 4)
        {
            Float4 score = scores[at + i];
            maximum = IntrinsicMath.Max(maximum, left > 0 ? score.X : float.NegativeInfinity);
            maximum = IntrinsicMath.Max(maximum, left > 1 ? score.Y : float.NegativeInfinity);
            maximum = IntrinsicMath.Max(maximum, left > 2 ? score.Z : float.NegativeInfinity);
            maximum = IntrinsicMath.Max(maximum, left > 3 ? score.W : float.NegativeInfinity);
        }

        return maximum;
    }

    // Those scores become weights; returns their sum, one chain. Keys that the row does not see weigh nothing.
    private static float Weigh<TSide>(ArrayView<Float4> scores, int row, int part, int seen, float maximum, float power)
        where TSide : unmanaged, ITileSide
    {
        float sum = 0;
        int at = (row * SquareTile.Stride<TSide>()) + (PartKeys / 4 * part), left = seen - (PartKeys * part);
        for (int i = 0; i < 4; i++, left -= 4)
        {
            Float4 weight = scores[at + i];
            weight.X = Weight(weight.X, maximum, power, left > 0);
            weight.Y = Weight(weight.Y, maximum, power, left > 1);
            weight.Z = Weight(weight.Z, maximum, power, left > 2);
            weight.W = Weight(weight.W, maximum, power, left > 3);
            sum = sum + weight.X + weight.Y + weight.Z + weight.W;
            scores[at + i] = weight;
        }

        return sum;
    }

    // Worked out in any case, because a branch costs more.
    private static float Weight(float score, float maximum, float power, bool isSeen)
    {
        float weight = DeviceMath.Exp2OfProduct(score - maximum, power);
        return isSeen ? weight : 0;
    }

    private static void StoreTile<T, TWidth, TRows>(ArrayView<T> to, TRows rows, int first, int slice, int headDim, SquareTile tile)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
        where TRows : struct, IHeadRows
    {
        int row = first + SquareTile.Row<TWidth>(), column = (slice * TWidth.Side) + (4 * SquareTile.Column<TWidth>());
        HeadTile.Store<T, TWidth, TRows>(to, rows, row, column, headDim, tile.A);
        HeadTile.Store<T, TWidth, TRows>(to, rows, row + 1, column, headDim, tile.B);
        HeadTile.Store<T, TWidth, TRows>(to, rows, row + 2, column, headDim, tile.C);
        HeadTile.Store<T, TWidth, TRows>(to, rows, row + 3, column, headDim, tile.D);
    }
}
