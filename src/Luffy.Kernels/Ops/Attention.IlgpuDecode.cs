using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

// Decoding: few rows, many keys. Each chunk of keys is a group's own, so that one long sequence still fills a device; a second kernel merges the
// chunks. Rows lie in memory that the group shares, four to a Float4, and threads go over them in steps of the group's size, so any
// number of threads gives the bits of the forward pass.
internal static partial class AttentionKernels
{
    /// <summary>Rows of a key-value head that a decoding group takes.</summary>
    public const int DecodedRows = 8;

    /// <summary>Threads of a decoding group, at most: each has the scores of one key and four rows.</summary>
    public const int DecodeThreads = SquareTile.LargestSide * RowQuads;

    /// <summary>Numbers that a chunk leaves of a row besides its output: the maximum and the sum.</summary>
    public const int Statistics = 2;

    private const int RowQuads = DecodedRows / 4;

    // Float4 of a query, and of four rows' outputs, of two slices.
    private const int QueryStride = 2 * SquareTile.LargestSide / 4;
    private const int OutputStride = 2 * SquareTile.LargestSide;

    /// <summary>True where a sequence's queries of one call are few enough to be decoded: those of one token always are.</summary>
    public static bool IsDecoded(int tokens, int group) => tokens == 1 || tokens * group <= DecodedRows;

    /// <summary>
    /// Groups are [sequences × tiles of <see cref="DecodedRows"/> rows, key-value heads, chunks]; sequences that are not decoded, or have no
    /// such chunk, are passed over.
    /// </summary>
    /// <param name="outputs">[sequences of the launch, key-value heads, rowsOfHead, chunks, D] =, not yet divided by the sums.</param>
    /// <param name="statistics">[sequences of the launch, key-value heads, rowsOfHead, chunks, <see cref="Statistics"/>] =.</param>
    /// <param name="qkv">[T, PackedHeads, D].</param>
    /// <param name="cache">Keys and values.</param>
    /// <param name="table">Pages.</param>
    /// <param name="starts">Queries of each sequence.</param>
    /// <param name="contexts">Keys of each sequence.</param>
    /// <param name="batch">What the launch takes of the call.</param>
    /// <param name="shape">Geometry.</param>
    [Kernel(Variants = [typeof(Width64), typeof(Width128), typeof(AnyWidth), typeof(SmallWidth)], Threads = DecodeThreads, Groups = [3])]
    public static void DecodeChunk<T, TWidth>(ArrayView<float> outputs, ArrayView<float> statistics, ArrayView<T> qkv, ArrayView<T> cache,
        ArrayView<int> table, ArrayView<int> starts, ArrayView<int> contexts, DecodedBatch batch, AttentionGeometry shape)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
    {
        ArrayView<Float4> tile0 = SharedMemory.Allocate<Float4>(SquareTile.Length), tile1 = SharedMemory.Allocate<Float4>(SquareTile.Length);
        ArrayView<Float4> queryTile = SharedMemory.Allocate<Float4>(DecodedRows * QueryStride);
        ArrayView<Float4> weights = SharedMemory.Allocate<Float4>(SquareTile.LargestSide * RowQuads);
        ArrayView<Float4> sums = SharedMemory.Allocate<Float4>(RowQuads * OutputStride);
        ArrayView<int> pages = SharedMemory.Allocate<int>(4 * SquareTile.LargestSide / IAttention.PageSize);
        DecodedStatistics rowStatistics = DecodedStatistics.Allocate();

        int tiles = batch.TilesOfHead, local = Grid.IdxX / tiles, sequence = batch.First + local, first = Grid.IdxX % tiles * DecodedRows;
        int begin = starts[sequence], tokens = starts[sequence + 1] - begin, context = contexts[sequence], from = Grid.IdxZ * Chunk<TWidth>();
        int rows = IntrinsicMath.Min(DecodedRows, (tokens * shape.Group) - first);
        if (rows <= 0 || from >= context || !IsDecoded(tokens, shape.Group)) return;

        int end = IntrinsicMath.Min(context, from + Chunk<TWidth>()), slices = HeadTile.Slices<TWidth>(shape.HeadDim);
        for (int page = Group.IdxX; from + (page * IAttention.PageSize) < end; page += Group.DimX)
            pages[page] = table[((long)sequence * batch.TableWidth) + (from / IAttention.PageSize) + page];
        QueryRows queries = new(begin, tokens, shape.PackedHeads, Grid.IdxY * shape.Group, shape.Group, shape.HeadDim);
        LoadQueries<T, TWidth>(queryTile, qkv, queries, first, slices, shape.HeadDim);
        for (int i = Group.IdxX; i < RowQuads * OutputStride; i += Group.DimX) sums[i] = default;
        rowStatistics.Clear();
        Group.Barrier();

        PagedRows keys = new(pages, -(from / IAttention.PageSize), Grid.IdxY, 2 * shape.KeyValueHeads, shape.HeadDim, end);
        int valueShift = PagedRows.ValueShift(shape);
        for (int start = from; start < end; start += TWidth.Side)
        {
            // One slice of keys leaves room for that of the values; two slices fill both tiles.
            if (slices == 1)
            {
                LoadTiles<T, TWidth>(tile0, tile1, cache, keys, 0, valueShift, start, 0, shape.HeadDim);
                Group.Barrier();
                Score<TWidth>(weights, queryTile, tile0, 0, rows, HeadTile.Quads<TWidth>(shape.HeadDim, 0));
                Group.Barrier();
            }
            else
            {
                LoadTiles<T, TWidth>(tile0, tile1, cache, keys, 0, 0, start, 1, shape.HeadDim);
                Group.Barrier();
                Score<TWidth>(weights, queryTile, tile0, 0, rows, HeadTile.Quads<TWidth>(shape.HeadDim, 0));
                Score<TWidth>(weights, queryTile, tile1, 1, rows, HeadTile.Quads<TWidth>(shape.HeadDim, 1));
                Group.Barrier();
                LoadTiles<T, TWidth>(tile0, tile1, cache, keys, valueShift, valueShift, start, 1, shape.HeadDim);
            }

            rowStatistics.Weigh<TWidth>(weights.Cast<float>(), first, rows, start - (context - tokens), shape);
            if (slices == 1) AddValues<TWidth>(sums, weights, tile1, rowStatistics.Factors, 0, rows);
            if (slices > 1) AddValues<TWidth>(sums, weights, tile0, rowStatistics.Factors, 0, rows);
            if (slices > 1) AddValues<TWidth>(sums, weights, tile1, rowStatistics.Factors, 1, rows);
            Group.Barrier();
            rowStatistics.Advance<TWidth>();
        }

        Group.Barrier();
        long slot = ((((long)local * shape.KeyValueHeads) + Grid.IdxY) * batch.RowsOfHead) + first;
        ArrayView<float> results = sums.Cast<float>();
        for (int i = Group.IdxX; i < rows * shape.HeadDim; i += Group.DimX)
        {
            int row = i / shape.HeadDim, column = i % shape.HeadDim;
            outputs[((((slot + row) * batch.Chunks) + Grid.IdxZ) * shape.HeadDim) + column] = results[(((row / 4 * OutputStride) + column) * 4) + DeviceMath.Modulo(row, 4)];
        }

        for (int row = Group.IdxX; row < rows; row += Group.DimX)
        {
            long at = (((slot + row) * batch.Chunks) + Grid.IdxZ) * Statistics;
            statistics[at] = rowStatistics.Maxima[row];
            statistics[at + 1] = rowStatistics.Totals[row];
        }
    }

    /// <summary>Merges chunks in ascending order. Groups are [sequences, key-value heads].</summary>
    [Kernel]
    public static void MergeChunks<T>(ArrayView<T> y, ArrayView<float> outputs, ArrayView<float> statistics, ArrayView<int> starts, ArrayView<int> contexts,
        DecodedBatch batch, AttentionGeometry shape)
        where T : unmanaged, IStorage<T>
    {
        int sequence = batch.First + Grid.IdxX, begin = starts[sequence], tokens = starts[sequence + 1] - begin;
        if (!IsDecoded(tokens, shape.Group)) return;
        int chunks = (contexts[sequence] + batch.ChunkKeys - 1) / batch.ChunkKeys;
        long slot = (((long)Grid.IdxX * shape.KeyValueHeads) + Grid.IdxY) * batch.RowsOfHead;
        QueryRows to = new(begin, tokens, shape.Heads, Grid.IdxY * shape.Group, shape.Group, shape.HeadDim);
        for (int i = Group.IdxX; i < to.Count * shape.HeadDim; i += Group.DimX)
        {
            int row = i / shape.HeadDim, column = i % shape.HeadDim;
            float maximum = float.NegativeInfinity, total = 0, output = 0;
            for (int chunk = 0; chunk < chunks; chunk++)
            {
                long at = ((slot + row) * batch.Chunks) + chunk;
                float added = statistics[at * Statistics], next = IntrinsicMath.Max(maximum, added);
                float before = Rescale(maximum, next, shape.Power), now = Rescale(added, next, shape.Power);
                total = DeviceMath.FusedMultiplyAdd(statistics[(at * Statistics) + 1], now, total * before);
                output = DeviceMath.FusedMultiplyAdd(now, outputs[(at * shape.HeadDim) + column], output * before);
                maximum = next;
            }

            y[to.At(row) + column] = T.Store(output * (1 / total));
        }
    }

    private static void LoadQueries<T, TWidth>(ArrayView<Float4> tile, ArrayView<T> qkv, QueryRows queries, int first, int slices, int headDim)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
    {
        int quads = slices * SquareTile.Lanes<TWidth>();
        for (int i = Group.IdxX; i < DecodedRows * quads; i += Group.DimX)
        {
            int row = i / quads, quad = i % quads;
            tile[(row * QueryStride) + quad] = Quad<T>.Load(HeadTile.Elements<T, TWidth, QueryRows>(qkv, queries, first + row, 4 * quad, headDim));
        }
    }

    // Slice 0 of keys or values, and the given slice of keys or values: all on their way at once, where their elements fit in so many registers.
    private static void LoadTiles<T, TWidth>(ArrayView<Float4> tile0, ArrayView<Float4> tile1, ArrayView<T> cache, PagedRows keys, int shift0, int shift1,
        int first, int slice1, int headDim)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
    {
        ShiftedRows<PagedRows> rows0 = new(keys, shift0), rows1 = new(keys, shift1);
        int step = Group.DimX, quads = TWidth.Side * SquareTile.Lanes<TWidth>();
        if (!TWidth.IsFull)
        {
            for (int i = Group.IdxX; i < quads; i += step)
            {
                PutOne<T, TWidth>(tile0, i, FetchOne<T, TWidth>(cache, rows0, first, i, 0, headDim));
                PutOne<T, TWidth>(tile1, i, FetchOne<T, TWidth>(cache, rows1, first, i, slice1, headDim));
            }

            return;
        }

        for (int i = Group.IdxX; i < quads; i += 8 * step)
        {
            FetchedRows<T> a0 = FetchFour<T, TWidth>(cache, rows0, first, i, 0, headDim), b0 = FetchFour<T, TWidth>(cache, rows0, first, i + (4 * step), 0, headDim);
            FetchedRows<T> a1 = FetchFour<T, TWidth>(cache, rows1, first, i, slice1, headDim);
            FetchedRows<T> b1 = FetchFour<T, TWidth>(cache, rows1, first, i + (4 * step), slice1, headDim);
            PutFour<T, TWidth>(tile0, i, a0);
            PutFour<T, TWidth>(tile0, i + (4 * step), b0);
            PutFour<T, TWidth>(tile1, i, a1);
            PutFour<T, TWidth>(tile1, i + (4 * step), b1);
        }
    }

    // The i-th four elements of a tile, and those of three threads later in steps of the group's size.
    private static FetchedRows<T> FetchFour<T, TWidth>(ArrayView<T> cache, ShiftedRows<PagedRows> rows, int first, int i, int slice, int headDim)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
    {
        int step = Group.DimX;
        return new FetchedRows<T>
        {
            A = FetchOne<T, TWidth>(cache, rows, first, i, slice, headDim),
            B = FetchOne<T, TWidth>(cache, rows, first, i + step, slice, headDim),
            C = FetchOne<T, TWidth>(cache, rows, first, i + (2 * step), slice, headDim),
            D = FetchOne<T, TWidth>(cache, rows, first, i + (3 * step), slice, headDim),
        };
    }

    private static Quad<T> FetchOne<T, TWidth>(ArrayView<T> cache, ShiftedRows<PagedRows> rows, int first, int i, int slice, int headDim)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
    {
        int row = (int)((uint)i / (uint)SquareTile.Lanes<TWidth>()), quad = DeviceMath.Modulo(i, SquareTile.Lanes<TWidth>());
        return HeadTile.Elements<T, TWidth, ShiftedRows<PagedRows>>(cache, rows, first + row, (slice * TWidth.Side) + (4 * quad), headDim);
    }

    private static void PutFour<T, TWidth>(ArrayView<Float4> tile, int i, FetchedRows<T> elements)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
    {
        int step = Group.DimX;
        PutOne<T, TWidth>(tile, i, elements.A);
        PutOne<T, TWidth>(tile, i + step, elements.B);
        PutOne<T, TWidth>(tile, i + (2 * step), elements.C);
        PutOne<T, TWidth>(tile, i + (3 * step), elements.D);
    }

    private static void PutOne<T, TWidth>(ArrayView<Float4> tile, int i, Quad<T> elements)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
    {
        int row = (int)((uint)i / (uint)SquareTile.Lanes<TWidth>()), quad = DeviceMath.Modulo(i, SquareTile.Lanes<TWidth>());
        if (row < TWidth.Side) tile[(row * SquareTile.Stride<TWidth>()) + quad] = Quad<T>.Load(elements);
    }

    // scores[key] of four rows each, which lie where weights will: a slice continues the chains of the one before. Each thread goes on with
    // what it wrote itself.
    private static void Score<TSide>(ArrayView<Float4> scores, ArrayView<Float4> queries, ArrayView<Float4> keys, int slice, int rows, int quads)
        where TSide : unmanaged, ITileSide
    {
        ArrayView<Float4> queries1 = queries.SubView(QueryStride), queries2 = queries.SubView(2 * QueryStride), queries3 = queries.SubView(3 * QueryStride);
        for (int i = Group.IdxX; i < TSide.Side * RowQuads; i += Group.DimX)
        {
            int rowQuad = (int)((uint)i / (uint)TSide.Side), keyRow = i - (rowQuad * TSide.Side), at = (keyRow * RowQuads) + rowQuad;
            if (4 * rowQuad >= rows) return;
            Float4 sum = default;
            if (slice > 0) sum = scores[at];
            int key = keyRow * SquareTile.Stride<TSide>(), query = (4 * rowQuad * QueryStride) + (slice * SquareTile.Lanes<TSide>());
            for (int k = 0; k < quads; k++, key++, query++)
            {
                Float4 other = keys[key];
                sum.X = Float4.Chain(queries[query], other, sum.X);
                sum.Y = Float4.Chain(queries1[query], other, sum.Y);
                sum.Z = Float4.Chain(queries2[query], other, sum.Z);
                sum.W = Float4.Chain(queries3[query], other, sum.W);
            }

            scores[at] = sum;
        }
    }

    // sums = sums · factor + weights · values.
    private static void AddValues<TSide>(ArrayView<Float4> sums, ArrayView<Float4> weights, ArrayView<Float4> values, ArrayView<float> factors, int slice,
        int rows) where TSide : unmanaged, ITileSide
    {
        ArrayView<float> elements = values.Cast<float>();
        int stride = 4 * SquareTile.Stride<TSide>();
        for (int i = Group.IdxX; i < TSide.Side * RowQuads; i += Group.DimX)
        {
            int rowQuad = (int)((uint)i / (uint)TSide.Side), column = i - (rowQuad * TSide.Side), at = (rowQuad * OutputStride) + (slice * TSide.Side) + column;
            if (4 * rowQuad >= rows) return;
            Float4 sum = sums[at];
            sum.X *= factors[4 * rowQuad];
            sum.Y *= factors[(4 * rowQuad) + 1];
            sum.Z *= factors[(4 * rowQuad) + 2];
            sum.W *= factors[(4 * rowQuad) + 3];
            for (int key = 0, value = column, weight = rowQuad; key < TSide.Side; key++, value += stride, weight += RowQuads)
                sum = Float4.AddScaled(sum, elements[value], weights[weight]);
            sums[at] = sum;
        }
    }
}
