using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

// The backward pass recomputes the weights from the kept log-sum-exp (Dao et al., arXiv 2205.14135): p = e^(s − lse), ds = p·(dy·v − dy·y).
// Gradients of queries are sums over keys, those of keys and values sums over the rows that see them, each a chain in ascending order, in
// a kernel of its own; so nothing is added to memory that another group adds to.
internal static partial class AttentionKernels
{
    /// <summary>Rows of <see cref="BackwardDelta"/> that a group takes.</summary>
    public const int DeltaRows = 16;

    /// <summary>delta[t, h] = dy·y, for each head of each token. Each lane has four elements of every slice; lanes are added in ascending order.</summary>
    [Kernel(Variants = [typeof(Width64), typeof(Width128), typeof(AnyWidth), typeof(SmallWidth)])]
    public static void BackwardDelta<T, TWidth>(ArrayView<float> delta, ArrayView<T> dy, ArrayView<T> y, int headDim)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
    {
        ArrayView<float> partials = SharedMemory.Allocate<float>(DeltaRows * SquareTile.LargestSide / 4);
        PackedRows rows = new(0, headDim, delta.IntLength);
        int first = Grid.IdxX * DeltaRows, slices = HeadTile.Slices<TWidth>(headDim), lanes = SquareTile.Lanes<TWidth>();
        for (int i = Group.IdxX; i < DeltaRows * lanes; i += Group.DimX)
        {
            float partial = 0;
            for (int slice = 0; slice < slices; slice++)
            {
                int row = first + (int)((uint)i / (uint)lanes), column = (slice * TWidth.Side) + (4 * DeviceMath.Modulo(i, lanes));
                Quad<T> upstream = HeadTile.Elements<T, TWidth, PackedRows>(dy, rows, row, column, headDim);
                Quad<T> output = HeadTile.Elements<T, TWidth, PackedRows>(y, rows, row, column, headDim);
                partial = Float4.Chain(Quad<T>.Load(upstream), Quad<T>.Load(output), partial);
            }

            partials[i] = partial;
        }

        Group.Barrier();
        for (int row = Group.IdxX; row < DeltaRows && first + row < rows.Count; row += Group.DimX)
        {
            float sum = 0;
            for (int lane = 0; lane < lanes; lane++) sum += partials[(row * lanes) + lane];
            delta[first + row] = sum;
        }
    }

    /// <summary>dq = scale · Σ_j ds_j·k_j over ascending keys. A group has a tile of rows of a key-value head.</summary>
    [Kernel(Variants = [typeof(Width64), typeof(Width128), typeof(AnyWidth), typeof(SmallWidth)], Threads = SquareTile.MostThreads, Groups = [2, 2, 1, 1])]
    public static void BackwardQuery<T, TWidth>(ArrayView<T> dQkv, ArrayView<T> dy, ArrayView<float> logSumExp, ArrayView<float> delta, ArrayView<T> qkv,
        ArrayView<int> starts, AttentionGeometry shape)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
    {
        ArrayView<Float4> rowTile = SharedMemory.Allocate<Float4>(SquareTile.Length), keyTile = SharedMemory.Allocate<Float4>(SquareTile.Length);
        ArrayView<float> normalizers = SharedMemory.Allocate<float>(SquareTile.LargestSide), deltas = SharedMemory.Allocate<float>(SquareTile.LargestSide);
        ArrayView<int> tokens = SharedMemory.Allocate<int>(SquareTile.LargestSide), queryHeads = SharedMemory.Allocate<int>(SquareTile.LargestSide), outputHeads = SharedMemory.Allocate<int>(SquareTile.LargestSide);
        TilePlace place = TilePlace.Find<TWidth>(starts, shape.Group);
        if (place.First >= place.Tokens * shape.Group) return;

        BackwardRows sides = new(place, queryHeads, outputHeads, TWidth.Side, shape);
        sides.List<TWidth>(place.First, shape);
        LoadRowStatistics<TWidth>(normalizers, deltas, tokens, logSumExp, delta, place, place.First, shape);
        Group.Barrier();
        int last = HeadTile.Slices<TWidth>(shape.HeadDim) - 1;
        int end = ((IntrinsicMath.Min(place.First + TWidth.Side, sides.Rows) - 1) / shape.Group) + 1;
        SquareTile gradient0 = default, gradient1 = default;
        for (int start = 0; start < end; start += TWidth.Side)
        {
            SquareTile dWeights = Products<T, TWidth, ShiftedRows<PackedRows>>(rowTile, keyTile, dy, sides.Outputs, qkv, sides.Values, start, shape.HeadDim);
            SquareTile scores = Products<T, TWidth, PackedRows>(rowTile, keyTile, qkv, sides.Queries, qkv, sides.Keys, start, shape.HeadDim);
            SquareTile.Store<TWidth>(rowTile, ScoreGradients<TWidth>(dWeights, Weights<TWidth>(scores, normalizers, tokens, start, shape), deltas));

            // The last slice of the keys still lies in its tile.
            Group.Barrier();
            if (last == 0) gradient0 = SquareTile.AddProduct<TWidth>(gradient0, rowTile, keyTile);
            if (TWidth.Slices > 1 && last > 0)
            {
                gradient1 = SquareTile.AddProduct<TWidth>(gradient1, rowTile, keyTile);
                Group.Barrier();
                HeadTile.Put<T, TWidth>(keyTile, HeadTile.Fetch<T, TWidth, PackedRows>(qkv, sides.Keys, start, 0, shape.HeadDim));
                Group.Barrier();
                gradient0 = SquareTile.AddProduct<TWidth>(gradient0, rowTile, keyTile);
            }

            Group.Barrier();
        }

        QueryRows queries = new(place.Begin, place.Tokens, shape.PackedHeads, Grid.IdxY * shape.Group, shape.Group, shape.HeadDim);
        StoreTile<T, TWidth, QueryRows>(dQkv, queries, place.First, 0, shape.HeadDim, SquareTile.Scale(gradient0, shape.Scale));
        if (TWidth.Slices > 1) StoreTile<T, TWidth, QueryRows>(dQkv, queries, place.First, 1, shape.HeadDim, SquareTile.Scale(gradient1, shape.Scale));
    }

    /// <summary>
    /// dv = Σ_r p_r·dy_r and dk = scale · Σ_r ds_r·q_r over ascending rows: tokens, and within a token the heads of the group. A group of threads
    /// has a tile of keys of a key-value head.
    /// </summary>
    [Kernel(Variants = [typeof(Width64), typeof(Width128), typeof(AnyWidth), typeof(SmallWidth)], Threads = SquareTile.MostThreads, Groups = [2, 1, 1, 1])]
    public static void BackwardKeyValue<T, TWidth>(ArrayView<T> dQkv, ArrayView<T> dy, ArrayView<float> logSumExp, ArrayView<float> delta, ArrayView<T> qkv,
        ArrayView<int> starts, AttentionGeometry shape)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
    {
        ArrayView<Float4> rowTile = SharedMemory.Allocate<Float4>(SquareTile.Length), keyTile = SharedMemory.Allocate<Float4>(SquareTile.Length);
        ArrayView<float> normalizers = SharedMemory.Allocate<float>(SquareTile.LargestSide), deltas = SharedMemory.Allocate<float>(SquareTile.LargestSide);
        ArrayView<int> tokens = SharedMemory.Allocate<int>(SquareTile.LargestSide), queryHeads = SharedMemory.Allocate<int>(SquareTile.LargestSide), outputHeads = SharedMemory.Allocate<int>(SquareTile.LargestSide);
        TilePlace place = TilePlace.Find<TWidth>(starts, 1);
        if (place.First >= place.Tokens) return;

        BackwardRows sides = new(place, queryHeads, outputHeads, TWidth.Side, shape);
        int start = place.First, last = HeadTile.Slices<TWidth>(shape.HeadDim) - 1;
        SquareTile dKeys0 = default, dKeys1 = default, dValues0 = default, dValues1 = default;
        for (int first = start * shape.Group; first < sides.Rows; first += TWidth.Side)
        {
            sides.List<TWidth>(first, shape);
            LoadRowStatistics<TWidth>(normalizers, deltas, tokens, logSumExp, delta, place, first, shape);
            Group.Barrier();
            SquareTile dWeights = Products<T, TWidth, ShiftedRows<PackedRows>>(rowTile, keyTile, dy, sides.Outputs, qkv, sides.Values, start, shape.HeadDim);
            SquareTile scores = Products<T, TWidth, PackedRows>(rowTile, keyTile, qkv, sides.Queries, qkv, sides.Keys, start, shape.HeadDim);
            SquareTile weights = Weights<TWidth>(scores, normalizers, tokens, start, shape);
            SquareTile.Store<TWidth>(keyTile, ScoreGradients<TWidth>(dWeights, weights, deltas));

            // The last slice of the queries still lies in its tile.
            Group.Barrier();
            if (last == 0) dKeys0 = SquareTile.AddTransposedProduct<TWidth>(dKeys0, keyTile, rowTile);
            if (TWidth.Slices > 1 && last > 0)
            {
                dKeys1 = SquareTile.AddTransposedProduct<TWidth>(dKeys1, keyTile, rowTile);
                Group.Barrier();
                HeadTile.Put<T, TWidth>(rowTile, HeadTile.Fetch<T, TWidth, ListedRows>(qkv, sides.Queries, 0, 0, shape.HeadDim));
                Group.Barrier();
                dKeys0 = SquareTile.AddTransposedProduct<TWidth>(dKeys0, keyTile, rowTile);
            }

            Group.Barrier();
            SquareTile.Store<TWidth>(keyTile, weights);
            HeadTile.Put<T, TWidth>(rowTile, HeadTile.Fetch<T, TWidth, ListedRows>(dy, sides.Outputs, 0, 0, shape.HeadDim));
            Group.Barrier();
            dValues0 = SquareTile.AddTransposedProduct<TWidth>(dValues0, keyTile, rowTile);
            if (TWidth.Slices > 1 && last > 0)
            {
                Group.Barrier();
                HeadTile.Put<T, TWidth>(rowTile, HeadTile.Fetch<T, TWidth, ListedRows>(dy, sides.Outputs, 0, 1, shape.HeadDim));
                Group.Barrier();
                dValues1 = SquareTile.AddTransposedProduct<TWidth>(dValues1, keyTile, rowTile);
            }

            Group.Barrier();
        }

        StoreTile<T, TWidth, PackedRows>(dQkv, sides.Keys, start, 0, shape.HeadDim, SquareTile.Scale(dKeys0, shape.Scale));
        StoreTile<T, TWidth, ShiftedRows<PackedRows>>(dQkv, sides.Values, start, 0, shape.HeadDim, dValues0);
        if (TWidth.Slices > 1)
        {
            StoreTile<T, TWidth, PackedRows>(dQkv, sides.Keys, start, 1, shape.HeadDim, SquareTile.Scale(dKeys1, shape.Scale));
            StoreTile<T, TWidth, ShiftedRows<PackedRows>>(dQkv, sides.Values, start, 1, shape.HeadDim, dValues1);
        }
    }

    // a·bᵀ of a tile of rows and a tile of keys; the last slices stay in their tiles, which nobody reads any more.
    private static SquareTile Products<T, TWidth, TKeys>(ArrayView<Float4> rowTile, ArrayView<Float4> keyTile, ArrayView<T> rowStorage, ListedRows rows,
        ArrayView<T> keyStorage, TKeys keys, int start, int headDim)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
        where TKeys : struct, IHeadRows
    {
        SquareTile sums = default;
        int slices = HeadTile.Slices<TWidth>(headDim);
        for (int slice = 0; slice < slices; slice++)
        {
            HeadTile.Load<T, TWidth, ListedRows, TKeys>(rowTile, rowStorage, rows, 0, keyTile, keyStorage, keys, start, slice, headDim);
            Group.Barrier();
            sums = SquareTile.AddDots<TWidth>(sums, rowTile, keyTile, HeadTile.Quads<TWidth>(headDim, slice));
            Group.Barrier();
        }

        return sums;
    }

    // A barrier later: of a tile of rows the log-sum-exp, dy·y and the token, which is −1 where there is no such row.
    private static void LoadRowStatistics<TSide>(ArrayView<float> normalizers, ArrayView<float> deltas, ArrayView<int> tokens, ArrayView<float> logSumExp,
        ArrayView<float> delta, TilePlace place, int first, AttentionGeometry shape) where TSide : unmanaged, ITileSide
    {
        if (Group.IdxX >= TSide.Side) return;
        int row = first + Group.IdxX, token = row / shape.Group;
        bool exists = row < place.Tokens * shape.Group;
        long at = exists ? ((long)(place.Begin + token) * shape.Heads) + (Grid.IdxY * shape.Group) + (row % shape.Group) : 0;
        normalizers[Group.IdxX] = logSumExp[at];
        deltas[Group.IdxX] = delta[at];
        tokens[Group.IdxX] = exists ? token : -1;
    }

    // p of the thread's 4 × 4.
    private static SquareTile Weights<TSide>(SquareTile scores, ArrayView<float> normalizers, ArrayView<int> tokens, int start, AttentionGeometry shape)
        where TSide : unmanaged, ITileSide
    {
        int row = SquareTile.Row<TSide>(), key = start + SquareTile.Column<TSide>();
        scores.A = RowWeights<TSide>(scores.A, normalizers[row], tokens[row] - key, shape.Scale);
        scores.B = RowWeights<TSide>(scores.B, normalizers[row + 1], tokens[row + 1] - key, shape.Scale);
        scores.C = RowWeights<TSide>(scores.C, normalizers[row + 2], tokens[row + 2] - key, shape.Scale);
        scores.D = RowWeights<TSide>(scores.D, normalizers[row + 3], tokens[row + 3] - key, shape.Scale);
        return scores;
    }

    // Four keys in steps of as many as a row has threads; `later` is how far the row's token is behind the first.
    private static Float4 RowWeights<TSide>(Float4 scores, float normalizer, int later, float scale) where TSide : unmanaged, ITileSide
    {
        scores.X = BackwardWeight(scores.X, normalizer, scale, later >= 0);
        scores.Y = BackwardWeight(scores.Y, normalizer, scale, later >= SquareTile.Lanes<TSide>());
        scores.Z = BackwardWeight(scores.Z, normalizer, scale, later >= 2 * SquareTile.Lanes<TSide>());
        scores.W = BackwardWeight(scores.W, normalizer, scale, later >= 3 * SquareTile.Lanes<TSide>());
        return scores;
    }

    private static float BackwardWeight(float score, float normalizer, float scale, bool isSeen)
    {
        float weight = DeviceMath.Exp2OfProduct(DeviceMath.FusedMultiplyAdd(score, scale, -normalizer), Log2E);
        return isSeen ? weight : 0;
    }

    // ds / scale of the thread's 4 × 4.
    private static SquareTile ScoreGradients<TSide>(SquareTile dWeights, SquareTile weights, ArrayView<float> deltas) where TSide : unmanaged, ITileSide
    {
        int row = SquareTile.Row<TSide>();
        dWeights.A = RowGradients(dWeights.A, weights.A, deltas[row]);
        dWeights.B = RowGradients(dWeights.B, weights.B, deltas[row + 1]);
        dWeights.C = RowGradients(dWeights.C, weights.C, deltas[row + 2]);
        dWeights.D = RowGradients(dWeights.D, weights.D, deltas[row + 3]);
        return dWeights;
    }

    private static Float4 RowGradients(Float4 dWeights, Float4 weights, float delta)
    {
        dWeights.X = weights.X * (dWeights.X - delta);
        dWeights.Y = weights.Y * (dWeights.Y - delta);
        dWeights.Z = weights.Z * (dWeights.Z - delta);
        dWeights.W = weights.W * (dWeights.W - delta);
        return dWeights;
    }
}

/// <summary>What the backward pass reads of a sequence, for the key-value head that a group of threads has and a tile of rows at a time.</summary>
internal readonly struct BackwardRows
{
    /// <summary>Rows that there are.</summary>
    public readonly int Rows;
    public readonly ListedRows Queries;
    public readonly ListedRows Outputs;
    public readonly PackedRows Keys;
    public readonly ShiftedRows<PackedRows> Values;
    private readonly ArrayView<int> _queryHeads;
    private readonly ArrayView<int> _outputHeads;

    public BackwardRows(TilePlace place, ArrayView<int> queryHeads, ArrayView<int> outputHeads, int side, AttentionGeometry shape)
    {
        int head = Grid.IdxY * shape.Group;
        Rows = place.Tokens * shape.Group;
        Queries = new ListedRows(queryHeads, side, place.Begin, shape.PackedHeads, head, shape.HeadDim);
        Outputs = new ListedRows(outputHeads, side, place.Begin, shape.Heads, head, shape.HeadDim);
        Keys = AttentionKernels.PackedKeys(place, shape);
        Values = new ShiftedRows<PackedRows>(Keys, shape.KeyValueHeads * shape.HeadDim);
        (_queryHeads, _outputHeads) = (queryHeads, outputHeads);
    }

    /// <summary>Goes over to the rows from <paramref name="first"/> on. A barrier must follow.</summary>
    public void List<TSide>(int first, AttentionGeometry shape) where TSide : unmanaged, ITileSide
    {
        ListedRows.List<TSide>(_queryHeads, first, Rows, shape.PackedHeads, shape.Group);
        ListedRows.List<TSide>(_outputHeads, first, Rows, shape.Heads, shape.Group);
    }
}
