using ILGPU;
using Luffy.Kernels.Ilgpu;
using Luffy.Kernels.Ilgpu.Products;

namespace Luffy.Kernels;

/// <summary><see cref="PolicyTokens"/> but for the targets and weights, as a kernel takes them.</summary>
internal readonly struct PolicyTokenViews
{
    public readonly ArrayView<float> Advantages, OldLogProbs, BehaviorLogProbs, ReferenceLogProbs;
    public readonly ArrayView<int> OffPolicy;

    // Whether the optional inputs are there; where they are not, their views are others'.
    public readonly int HasBehavior, HasReference;

    public PolicyTokenViews(IlgpuContext context, in PolicyTokens tokens)
    {
        (HasBehavior, HasReference) = (tokens.BehaviorLogProbs.Exists ? 1 : 0, tokens.ReferenceLogProbs.Exists ? 1 : 0);
        Advantages = context.View<float>(tokens.Advantages);
        OldLogProbs = context.View<float>(tokens.OldLogProbs);
        BehaviorLogProbs = HasBehavior != 0 ? context.View<float>(tokens.BehaviorLogProbs) : Advantages;
        ReferenceLogProbs = HasReference != 0 ? context.View<float>(tokens.ReferenceLogProbs) : Advantages;
        OffPolicy = context.View<int>(tokens.OffPolicy);
    }
}

/// <summary>What makes a logit's gradient of it.</summary>
internal struct LogitGradientTerms
{
    /// <summary>[8, R].</summary>
    public ArrayView<float> Statistics;

    /// <summary>[R]: of the policy and KL terms by the log-prob.</summary>
    public ArrayView<float> Gradients;

    /// <summary>[R].</summary>
    public ArrayView<float> Weights;

    /// <summary>[R].</summary>
    public ArrayView<int> Targets;

    /// <summary>The token of the strip's first column.</summary>
    public int FirstToken;

    /// <summary>Divides the logits.</summary>
    public float Temperature;

    /// <summary>Of the entropy bonus.</summary>
    public float EntropyCoefficient;
}

/// <summary>The kernels of <see cref="PolicyLossIlgpu"/>.</summary>
internal static class PolicyLossKernels
{
    // Rows whose logits lie in shared memory at a time.
    private const int MostRows = 64;

    /// <summary>Tokens whose logits one group works out: those of a tile, or of several that make up a block of the vocabulary.</summary>
    public static int Span<TTile, TStorage>()
        where TTile : struct, ITileProduct<TStorage>
        where TStorage : unmanaged, IStorage<TStorage> => TTile.Columns < LogSoftmaxIlgpu.Block ? LogSoftmaxIlgpu.Block : TTile.Columns;

    /// <summary>
    /// Sums of blocks of the vocabulary, and the logits of targets: rows from tile Grid.IdxX on, tokens from <see cref="Span"/> Grid.IdxY on.
    /// A tile of logits is in registers. A block of them at a time goes to shared memory, which was the product's own, unless a block takes
    /// several products.
    /// </summary>
    [Kernel]
    public static void SumLogits<TStorage, TTile>(ArrayView<float> sums, ArrayView<float> targetLogits, ArrayView<TStorage> hidden,
        ArrayView<TStorage> head, ArrayView<int> targets, LinearShape shape, float temperature)
        where TStorage : unmanaged, IStorage<TStorage>
        where TTile : struct, ITileProduct<TStorage>
    {
        int words = TileProduct.Words<TTile, TStorage>(), rows = IntrinsicMath.Min(TTile.Rows, MostRows);
        int own = rows * (LogSoftmaxIlgpu.Pitch + (LogSoftmaxIlgpu.Sums * LogSoftmaxIlgpu.Lanes)) / 4;
        bool shares = TTile.Columns >= LogSoftmaxIlgpu.Block;
        ArrayView<Words4> shared = SharedMemory.Allocate<Words4>(shares ? IntrinsicMath.Max(words, own) : words + own);
        ArrayView<float> memory = (shares ? shared : shared.SubView(words)).Cast<float>();
        int firstRow = Grid.IdxX * TTile.Rows, firstColumn = Grid.IdxY * Span<TTile, TStorage>();
        MatrixOperand<TStorage> a = new(hidden, shape.Rows, shape.Depth, shape.Has(LinearShape.AlignedA));
        MatrixOperand<TStorage> b = new(head, shape.Columns, shape.Depth, shape.Has(LinearShape.AlignedB));
        LogitWriter writer = new() { Z = memory, Rows = rows, Vocabulary = shape.Columns, Temperature = temperature };
        BlockWriter block = new() { Sums = sums, TargetLogits = targetLogits, Targets = targets, Shape = shape, Memory = memory, Rows = rows };
        if (shares)
        {
            TTile tile = default;
            TileProduct.Accumulate<TTile, TStorage, SumOverColumns, SumOverColumns>(ref tile, a, firstRow, b, firstColumn, shape.Depth, shared);
            writer.TileColumn = firstColumn;
            for (int column = 0; column < TTile.Columns && firstColumn + column < shape.Columns; column += LogSoftmaxIlgpu.Block)
            {
                for (int row = 0; row < TTile.Rows && firstRow + row < shape.Rows; row += rows)
                {
                    (writer.FirstRow, writer.FirstColumn) = (row, firstColumn + column);
                    tile.Visit(ref writer);
                    block.Write(firstRow + row, firstColumn + column);
                }
            }
        }
        else
        {
            writer.FirstColumn = firstColumn;
            for (int column = 0; column < LogSoftmaxIlgpu.Block; column += TTile.Columns)
            {
                TTile tile = default;
                TileProduct.Accumulate<TTile, TStorage, SumOverColumns, SumOverColumns>(ref tile, a, firstRow, b, firstColumn + column, shape.Depth, shared);
                writer.TileColumn = firstColumn + column;
                tile.Visit(ref writer);
            }

            block.Write(firstRow, firstColumn);
        }
    }

    /// <summary>Log-prob, entropy and log-sum-exp of a row; a group for each row.</summary>
    [Kernel]
    public static void LogProbs(ArrayView<float> statistics, ArrayView<float> sums, ArrayView<float> targetLogits)
    {
        ArrayView<float> memory = SharedMemory.Allocate<float>(LogSoftmaxIlgpu.RowMemory);
        int rows = targetLogits.IntLength;
        WriteLogProb(statistics, sums, targetLogits, memory);
        if (Group.IdxX != 0) return;
        for (int i = (int)TokenStatistic.PolicyLoss; i < PolicyLossChecks.Statistics; i++) statistics[((long)i * rows) + Grid.IdxX] = 0;
    }

    /// <summary>All statistics of a row, and the gradient of its policy and KL terms by the log-prob; a group for each row.</summary>
    [Kernel]
    public static void Evaluate(ArrayView<float> statistics, ArrayView<float> gradients, ArrayView<float> sums, ArrayView<float> targetLogits,
        PolicyTokenViews tokens, PolicyLossOptions options)
    {
        ArrayView<float> memory = SharedMemory.Allocate<float>(LogSoftmaxIlgpu.RowMemory);
        int row = Grid.IdxX;
        long rows = targetLogits.Length;
        double logProb = WriteLogProb(statistics, sums, targetLogits, memory);
        if (Group.IdxX != 0) return;
        TokenObjective term = PolicyObjective.Evaluate(logProb, tokens.OldLogProbs[row], tokens.Advantages[row], tokens.OffPolicy[row] != 0,
            tokens.HasBehavior != 0 ? tokens.BehaviorLogProbs[row] : float.NaN, options);
        double kl = 0, klGradient = 0;
        if (tokens.HasReference != 0) (kl, klGradient) = PolicyObjective.Kl(logProb, tokens.ReferenceLogProbs[row], options.KlEstimator);
        statistics[((int)TokenStatistic.PolicyLoss * rows) + row] = (float)term.Loss;
        statistics[((int)TokenStatistic.Weight * rows) + row] = (float)term.Weight;
        statistics[((int)TokenStatistic.PolicyGradient * rows) + row] = (float)term.Gradient;
        statistics[((int)TokenStatistic.Kl * rows) + row] = (float)kl;
        statistics[((int)TokenStatistic.Clipped * rows) + row] = (int)term.Clip;
        gradients[row] = (float)(options.KlCoefficient == 0 ? term.Gradient : term.Gradient + (options.KlCoefficient * klGradient));
    }

    /// <summary>
    /// dz = weight/T · (g·(1[v = target] − p) + c·p·(ln p + H)) of a tile, of which the second term is −c times dH/dz = −p·(ln p + H).
    /// </summary>
    [Kernel]
    public static void Differentiate<TStorage, TTile>(ArrayView<byte> dz, ArrayView<TStorage> hidden, ArrayView<TStorage> head, LogitGradientTerms terms,
        LinearShape shape)
        where TStorage : unmanaged, IStorage<TStorage>
        where TTile : struct, ITileProduct<TStorage>
    {
        ArrayView<Words4> shared = TileProduct.Allocate<TTile, TStorage>();
        ArrayView<RowTerms> rows = SharedMemory.Allocate<RowTerms>(TTile.Rows);
        ArrayView<int> targets = SharedMemory.Allocate<int>(TTile.Rows);
        int firstRow = Grid.IdxX * TTile.Rows, firstColumn = Grid.IdxY * TTile.Columns;
        for (int i = Group.IdxX; i < TTile.Rows && firstRow + i < shape.Rows; i += Group.DimX)
        {
            int row = firstRow + i;
            long count = shape.Rows;
            targets[i] = terms.Targets[row] - terms.FirstToken;
            rows[i] = new RowTerms
            {
                LogSumExp = terms.Statistics[((int)TokenStatistic.LogSumExp * count) + row],
                Entropy = terms.Statistics[((int)TokenStatistic.Entropy * count) + row],
                Gradient = terms.Gradients[row],
                Scale = terms.Weights[row] / terms.Temperature,
            };
        }

        Group.Barrier();
        MatrixOperand<TStorage> a = new(hidden, shape.Rows, shape.Depth, shape.Has(LinearShape.AlignedA));
        MatrixOperand<TStorage> b = new(head, shape.Columns, shape.Depth, shape.Has(LinearShape.AlignedB));
        TTile tile = default;
        TileProduct.Accumulate<TTile, TStorage, SumOverColumns, SumOverColumns>(ref tile, a, firstRow, b, firstColumn, shape.Depth, shared);
        LogitGradientWriter<TStorage> writer = new()
        {
            Rows = rows,
            Targets = targets,
            Temperature = terms.Temperature,
            EntropyCoefficient = terms.EntropyCoefficient,
            Result = new() { Result = dz, Bias = hidden, Shape = shape, FirstRow = firstRow, FirstColumn = firstColumn },
        };
        tile.Visit(ref writer);
    }

    /// <summary>result = (sums +) dz·head, where <paramref name="adds"/> is not 0 with the sums of the strips before.</summary>
    [Kernel]
    public static void AddHiddenGradient<TStorage, TTile>(ArrayView<byte> result, ArrayView<float> sums, int adds, ArrayView<TStorage> dz,
        ArrayView<TStorage> head, LinearShape shape)
        where TStorage : unmanaged, IStorage<TStorage>
        where TTile : struct, ITileProduct<TStorage>
    {
        ArrayView<Words4> shared = TileProduct.Allocate<TTile, TStorage>();
        int firstRow = Grid.IdxX * TTile.Rows, firstColumn = Grid.IdxY * TTile.Columns;
        MatrixOperand<TStorage> a = new(dz, shape.Rows, shape.Depth, shape.Has(LinearShape.AlignedA));
        MatrixOperand<TStorage> b = new(head, shape.Depth, shape.Columns, shape.Has(LinearShape.AlignedB));
        TTile tile = default;
        if (adds != 0)
        {
            SumReader reader = new() { Sums = sums, Shape = shape, FirstRow = firstRow, FirstColumn = firstColumn };
            tile.Visit(ref reader);
        }

        TileProduct.Accumulate<TTile, TStorage, SumOverColumns, SumOverRows>(ref tile, a, firstRow, b, firstColumn, shape.Depth, shared);
        ResultWriter<TStorage> writer = new() { Result = result, Bias = head, Shape = shape, FirstRow = firstRow, FirstColumn = firstColumn };
        tile.Visit(ref writer);
    }

    // The log-prob, for the group's first thread.
    private static float WriteLogProb(ArrayView<float> statistics, ArrayView<float> sums, ArrayView<float> targetLogits, ArrayView<float> memory)
    {
        int row = Grid.IdxX, blocks = (int)(sums.Length / targetLogits.Length / LogSoftmaxIlgpu.Sums);
        long rows = targetLogits.Length, length = (long)LogSoftmaxIlgpu.Sums * blocks;
        RowSums sum = LogSoftmaxIlgpu.SumRow(sums.SubView(row * length, length), blocks, memory);
        float logProb = targetLogits[row] - sum.LogSumExp;
        if (Group.IdxX != 0) return logProb;
        statistics[((int)TokenStatistic.LogProb * rows) + row] = logProb;
        statistics[((int)TokenStatistic.Entropy * rows) + row] = sum.Entropy;
        statistics[((int)TokenStatistic.LogSumExp * rows) + row] = sum.LogSumExp;
        return logProb;
    }

    /// <summary>Writes those of a tile's logits that belong to one block and to some rows, divided by the temperature.</summary>
    private struct LogitWriter : ITileVisitor
    {
        public ArrayView<float> Z;
        public int Rows, Vocabulary;
        public float Temperature;

        // Of the tile; then those to write.
        public int TileColumn, FirstRow, FirstColumn;

        public readonly void Visit(int row, int column, ref float first, ref float second)
        {
            int token = TileColumn + column, i = row - FirstRow, j = token - FirstColumn;
            if (i < 0 || i >= Rows || j < 0 || j >= LogSoftmaxIlgpu.Block) return;
            Z[(i * LogSoftmaxIlgpu.Pitch) + j] = token < Vocabulary ? first / Temperature : float.NegativeInfinity;
            Z[(i * LogSoftmaxIlgpu.Pitch) + j + 1] = token + 1 < Vocabulary ? second / Temperature : float.NegativeInfinity;
        }
    }

    /// <summary>Sums of one block of the vocabulary, for some rows.</summary>
    private struct BlockWriter
    {
        public ArrayView<float> Sums, TargetLogits, Memory;
        public ArrayView<int> Targets;
        public LinearShape Shape;
        public int Rows;

        /// <summary>By all threads, once each has written its logits; afterwards they may be overwritten at once.</summary>
        public readonly void Write(int firstRow, int firstColumn)
        {
            ArrayView<float> lanes = Memory.SubView(Rows * LogSoftmaxIlgpu.Pitch);
            int block = firstColumn / LogSoftmaxIlgpu.Block, blocks = LogSoftmaxIlgpu.BlocksOf(Shape.Columns);
            Group.Barrier();
            LogSoftmaxIlgpu.SumLanes(lanes, Memory, Rows);
            Group.Barrier();
            for (int i = Group.IdxX; i < Rows && firstRow + i < Shape.Rows; i += Group.DimX)
            {
                int row = firstRow + i, target = Targets[row] - firstColumn;
                BlockSums sum = LogSoftmaxIlgpu.SumBlock(lanes, i, Rows);
                long at = ((long)row * LogSoftmaxIlgpu.Sums * blocks) + block;
                Sums[at] = sum.Maximum;
                Sums[at + blocks] = sum.Total;
                Sums[at + (2L * blocks)] = sum.Weighted;
                if (target >= 0 && target < LogSoftmaxIlgpu.Block) TargetLogits[row] = Memory[(i * LogSoftmaxIlgpu.Pitch) + target];
            }

            Group.Barrier();
        }
    }

    // What a row's gradient is made of; Gradient is that by the log-prob, Scale the token's weight over the temperature.
    private struct RowTerms
    {
        public float LogSumExp, Entropy, Gradient, Scale;
    }

    /// <summary>Writes logits' gradients in place of logits.</summary>
    private struct LogitGradientWriter<TStorage> : ITileVisitor where TStorage : unmanaged, IStorage<TStorage>
    {
        // For each row of the tile, and the target's column.
        public ArrayView<RowTerms> Rows;
        public ArrayView<int> Targets;
        public float Temperature, EntropyCoefficient;
        public ResultWriter<TStorage> Result;

        public void Visit(int row, int column, ref float first, ref float second)
        {
            if (Result.FirstRow + row >= Result.Shape.Rows) return;
            RowTerms terms = Rows[row];
            int target = Targets[row] - Result.FirstColumn - column;
            float left = Gradient(first, terms, target == 0), right = Gradient(second, terms, target == 1);
            Result.Visit(row, column, ref left, ref right);
        }

        private readonly float Gradient(float logit, RowTerms terms, bool isTarget)
        {
            // Selected, not multiplied: a token that is out must not turn an infinity into a NaN.
            if (terms.Scale == 0) return 0;
            float logP = (logit / Temperature) - terms.LogSumExp, p = DeviceMath.Exp(logP), value = terms.Gradient * ((isTarget ? 1 : 0) - p);
            if (EntropyCoefficient != 0 && p != 0) value = DeviceMath.FusedMultiplyAdd(EntropyCoefficient * p, logP + terms.Entropy, value);
            return terms.Scale * value;
        }
    }
}
