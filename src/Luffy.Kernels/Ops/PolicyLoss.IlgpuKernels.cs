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
    /// <summary>Sums of blocks of the vocabulary, and the logits of targets, in the shape of <see cref="LogitTiles"/>.</summary>
    [Kernel]
    public static void SumLogits<TStorage, TTile>(ArrayView<float> sums, ArrayView<float> targetLogits, ArrayView<TStorage> hidden,
        ArrayView<TStorage> head, ArrayView<int> targets, LinearShape shape, float temperature)
        where TStorage : unmanaged, IStorage<TStorage>
        where TTile : struct, ITileProduct<TStorage>
    {
        BlockSummer summer = new() { Sums = sums, TargetLogits = targetLogits, Targets = targets, Shape = shape, Temperature = temperature };
        LogitTiles.Each<TStorage, TTile, BlockSummer>(hidden, head, shape, ref summer);
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
    /// dz = weight/T · (g·(1[v = target] − p) + c·p·(ln p + H)), of which the second term is −c times dH/dz = −p·(ln p + H), in the shape of
    /// <see cref="LogitTiles"/>.
    /// </summary>
    [Kernel]
    public static void Differentiate<TStorage, TTile>(ArrayView<TStorage> dz, ArrayView<TStorage> hidden, ArrayView<TStorage> head,
        LogitGradientTerms terms, LinearShape shape)
        where TStorage : unmanaged, IStorage<TStorage>
        where TTile : struct, ITileProduct<TStorage>
    {
        LogitDifferentiator<TStorage> differentiator = new()
        {
            Result = dz,
            Terms = terms,
            Shape = shape,
            Rows = SharedMemory.Allocate<RowTerms>(LogitTiles.MostRows),
            Targets = SharedMemory.Allocate<int>(LogitTiles.MostRows),
        };
        LogitTiles.Each<TStorage, TTile, LogitDifferentiator<TStorage>>(hidden, head, shape, ref differentiator);
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
}
