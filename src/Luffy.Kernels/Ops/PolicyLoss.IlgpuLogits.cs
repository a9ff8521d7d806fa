using ILGPU;
using Luffy.Kernels.Ilgpu;
using Luffy.Kernels.Ilgpu.Products;

namespace Luffy.Kernels;

/// <summary>What becomes of logits while they are in shared memory.</summary>
internal interface ILogitConsumer
{
    /// <summary>
    /// Takes the logits of one block of the vocabulary for some rows. All threads of the group call it, behind a barrier, and another follows.
    /// </summary>
    /// <param name="z">[rows, <see cref="LogSoftmaxIlgpu.Pitch"/>], not yet divided by the temperature; may be overwritten.</param>
    /// <param name="lanes">[<see cref="LogSoftmaxIlgpu.Sums"/>, rows, <see cref="LogSoftmaxIlgpu.Lanes"/>] of shared memory to work with.</param>
    /// <param name="rows">How many; those beyond the last row hold nothing of use.</param>
    /// <param name="firstRow">The row that is the first of them.</param>
    /// <param name="firstToken">The block's first token; those beyond the vocabulary hold nothing of use either.</param>
    void Take(ArrayView<float> z, ArrayView<float> lanes, int rows, int firstRow, int firstToken);
}

/// <summary>
/// hidden·headᵀ, of which a group of threads works out the rows of tile Grid.IdxX and the tokens of <see cref="Span"/> Grid.IdxY. A tile is in
/// registers; from there one block of the vocabulary at a time goes to shared memory, which was the product's own. Where a block takes several
/// products it has memory beside theirs.
/// </summary>
internal static class LogitTiles
{
    /// <summary>Rows whose logits lie in shared memory at a time, at most.</summary>
    public const int MostRows = 64;

    /// <summary>Tokens of a group: those of a tile, or of the several that make up a block of the vocabulary.</summary>
    public static int Span<TStorage, TTile>()
        where TStorage : unmanaged, IStorage<TStorage>
        where TTile : struct, ITileProduct<TStorage> => TTile.Columns < LogSoftmaxIlgpu.Block ? LogSoftmaxIlgpu.Block : TTile.Columns;

    /// <summary>Hands every block of the group's logits to a consumer.</summary>
    public static void Each<TStorage, TTile, TConsumer>(ArrayView<TStorage> hidden, ArrayView<TStorage> head, LinearShape shape, ref TConsumer consumer)
        where TStorage : unmanaged, IStorage<TStorage>
        where TTile : struct, ITileProduct<TStorage>
        where TConsumer : struct, ILogitConsumer
    {
        bool shares = TTile.Columns >= LogSoftmaxIlgpu.Block;
        int words = TileProduct.Words<TTile, TStorage>(), rows = IntrinsicMath.Min(TTile.Rows, MostRows);
        int own = rows * (LogSoftmaxIlgpu.Pitch + (LogSoftmaxIlgpu.Sums * LogSoftmaxIlgpu.Lanes)) / 4;
        ArrayView<Words4> shared = SharedMemory.Allocate<Words4>(shares ? IntrinsicMath.Max(words, own) : words + own);
        ArrayView<float> z = (shares ? shared : shared.SubView(words)).Cast<float>(), lanes = z.SubView(rows * LogSoftmaxIlgpu.Pitch);
        int firstRow = Grid.IdxX * TTile.Rows, firstToken = Grid.IdxY * Span<TStorage, TTile>();
        MatrixOperand<TStorage> a = new(hidden, shape.Rows, shape.Depth, shape.Has(LinearShape.AlignedA));
        MatrixOperand<TStorage> b = new(head, shape.Columns, shape.Depth, shape.Has(LinearShape.AlignedB));
        LogitWriter writer = new() { Z = z, Rows = rows };
        if (shares)
        {
            TTile tile = default;
            TileProduct.Accumulate<TTile, TStorage, SumOverColumns, SumOverColumns>(ref tile, a, firstRow, b, firstToken, shape.Depth, shared);
            for (int column = 0; column < TTile.Columns && firstToken + column < shape.Columns; column += LogSoftmaxIlgpu.Block)
            {
                for (int row = 0; row < TTile.Rows && firstRow + row < shape.Rows; row += rows)
                {
                    (writer.Row, writer.Column) = (row, column);
                    tile.Visit(ref writer);
                    Group.Barrier();
                    consumer.Take(z, lanes, rows, firstRow + row, firstToken + column);
                    Group.Barrier();
                }
            }
        }
        else
        {
            for (int column = 0; column < LogSoftmaxIlgpu.Block && firstToken + column < shape.Columns; column += TTile.Columns)
            {
                TTile tile = default;
                TileProduct.Accumulate<TTile, TStorage, SumOverColumns, SumOverColumns>(ref tile, a, firstRow, b, firstToken + column, shape.Depth, shared);
                writer.Column = -column;
                tile.Visit(ref writer);
            }

            Group.Barrier();
            consumer.Take(z, lanes, rows, firstRow, firstToken);
        }
    }

    /// <summary>Writes those of a tile's logits that belong to one block and to some rows.</summary>
    private struct LogitWriter : ITileVisitor
    {
        public ArrayView<float> Z;
        public int Rows;

        // Where in the tile they begin.
        public int Row, Column;

        public readonly void Visit(int row, int column, ref float first, ref float second)
        {
            int i = row - Row, j = column - Column;
            if (i < 0 || i >= Rows || j < 0 || j >= LogSoftmaxIlgpu.Block) return;
            Z.Cast<Float2>()[((i * LogSoftmaxIlgpu.Pitch) + j) >> 1] = new Float2 { A = first, B = second };
        }
    }
}

/// <summary>Sums of blocks, and the logits of targets.</summary>
internal struct BlockSummer : ILogitConsumer
{
    /// <summary>[R, 3, blocks] =.</summary>
    public ArrayView<float> Sums;

    /// <summary>[R] =, divided by the temperature.</summary>
    public ArrayView<float> TargetLogits;

    /// <summary>[R].</summary>
    public ArrayView<int> Targets;

    /// <summary>Of the logits.</summary>
    public LinearShape Shape;

    /// <summary>Divides them.</summary>
    public float Temperature;

    /// <inheritdoc/>
    public readonly void Take(ArrayView<float> z, ArrayView<float> lanes, int rows, int firstRow, int firstToken)
    {
        int block = firstToken / LogSoftmaxIlgpu.Block, blocks = LogSoftmaxIlgpu.BlocksOf(Shape.Columns);
        LogSoftmaxIlgpu.Scale(z, rows, Temperature, Shape.Columns - firstToken);
        LogSoftmaxIlgpu.SumLanes(lanes, z, rows);
        Group.Barrier();
        for (int i = Group.IdxX; i < rows && firstRow + i < Shape.Rows; i += Group.DimX)
        {
            int row = firstRow + i, target = Targets[row] - firstToken;
            BlockSums sum = LogSoftmaxIlgpu.SumBlock(lanes, i, rows);
            long at = ((long)row * LogSoftmaxIlgpu.Sums * blocks) + block;
            Sums[at] = sum.Maximum;
            Sums[at + blocks] = sum.Total;
            Sums[at + (2L * blocks)] = sum.Weighted;
            if (target >= 0 && target < LogSoftmaxIlgpu.Block) TargetLogits[row] = z[(i * LogSoftmaxIlgpu.Pitch) + target];
        }
    }
}

/// <summary>What the gradients of a row's logits are made of.</summary>
internal struct RowTerms
{
    /// <summary>Of its logits, and their entropy.</summary>
    public float LogSumExp, Entropy;

    /// <summary>Of the policy and KL terms by the log-prob.</summary>
    public float Gradient;

    /// <summary>The token's weight, divided by the temperature.</summary>
    public float Scale;
}

/// <summary>Gradients by the logits.</summary>
internal struct LogitDifferentiator<TStorage> : ILogitConsumer where TStorage : unmanaged, IStorage<TStorage>
{
    /// <summary>[R, tokens] =.</summary>
    public ArrayView<TStorage> Result;

    /// <summary>What they are made of.</summary>
    public LogitGradientTerms Terms;

    /// <summary>Of the logits.</summary>
    public LinearShape Shape;

    /// <summary>[<see cref="LogitTiles.MostRows"/>] of shared memory.</summary>
    public ArrayView<RowTerms> Rows;

    /// <summary>[<see cref="LogitTiles.MostRows"/>] of shared memory: the target's place in the block.</summary>
    public ArrayView<int> Targets;

    /// <inheritdoc/>
    public readonly void Take(ArrayView<float> z, ArrayView<float> lanes, int rows, int firstRow, int firstToken)
    {
        long all = Shape.Rows;
        for (int i = Group.IdxX; i < rows && firstRow + i < Shape.Rows; i += Group.DimX)
        {
            int row = firstRow + i;
            Targets[i] = Terms.Targets[row] - Terms.FirstToken - firstToken;
            Rows[i] = new RowTerms
            {
                LogSumExp = Terms.Statistics[((int)TokenStatistic.LogSumExp * all) + row],
                Entropy = Terms.Statistics[((int)TokenStatistic.Entropy * all) + row],
                Gradient = Terms.Gradients[row],
                Scale = Terms.Weights[row] / Terms.Temperature,
            };
        }

        Group.Barrier();
        for (int at = Group.IdxX; at < rows * LogSoftmaxIlgpu.Block; at += Group.DimX)
        {
            int i = at / LogSoftmaxIlgpu.Block, row = firstRow + i, j = DeviceMath.Modulo(at, LogSoftmaxIlgpu.Block), column = firstToken + j;
            if (row >= Shape.Rows || column >= Shape.Columns) continue;
            float gradient = Gradient(z[(i * LogSoftmaxIlgpu.Pitch) + j], Rows[i], Targets[i] == j);
            Result[((long)row * Shape.Columns) + column] = TStorage.Store(gradient);
        }
    }

    private readonly float Gradient(float logit, RowTerms row, bool isTarget)
    {
        // Selected, not multiplied: a token that is out must not turn an infinity into a NaN.
        if (row.Scale == 0) return 0;
        float logP = (logit / Terms.Temperature) - row.LogSumExp, p = DeviceMath.Exp(logP), value = row.Gradient * ((isTarget ? 1f : 0f) - p);
        if (Terms.EntropyCoefficient != 0 && p != 0) value = DeviceMath.FusedMultiplyAdd(Terms.EntropyCoefficient * p, logP + row.Entropy, value);
        return row.Scale * value;
    }
}
