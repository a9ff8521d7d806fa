using ILGPU;
using ILGPU.Runtime;
using Luffy.Kernels.Ilgpu;
using Luffy.Kernels.Ilgpu.Products;

namespace Luffy.Kernels;

/// <summary>
/// <see cref="IPolicyLoss"/> on any GPU. Logits are worked out twice, a tile at a time, and never written to memory:
/// <list type="number">
/// <item>Each tile leaves the sums of its rows' blocks of the vocabulary; from these come log-probs, entropies and the objective.</item>
/// <item>A strip of the vocabulary at a time, each tile becomes its logits' gradient dz, which a store of a fixed size holds. Then
/// dHead += dzᵀ·hidden and dHidden += dz·head, whose chains go on from strip to strip.</item>
/// </list>
/// </summary>
/// <param name="context">The device.</param>
/// <param name="linear">Its products.</param>
/// <param name="storeBytes">Bytes of the store; more only where a strip of the least width needs them.</param>
internal sealed class PolicyLossIlgpu(IlgpuContext context, ILinear linear, long storeBytes = PolicyLossIlgpu.StoreBytes) : IPolicyLoss
{
    /// <summary>As much as stays in the second-level cache of a large GPU until the products have read it.</summary>
    public const long StoreBytes = 32L << 20;

    // Strips are multiples of it, so that tiles and tensor cores' steps begin with them.
    private const int StripStep = 128;

    /// <inheritdoc/>
    public long ScratchBytes(long rows, long hiddenSize, long vocabulary, DType dtype) =>
        new Scratch(null, default, rows, hiddenSize, vocabulary, dtype, storeBytes).Bytes;

    /// <inheritdoc/>
    public void LogProb(in Tensor statistics, in Tensor hidden, in LinearWeight head, in Tensor targets, float temperature, in Tensor scratch)
    {
        const string operation = "PolicyLoss.LogProb";
        Tensor w = head.Rows;
        PolicyLossChecks.LogProb(operation, statistics, hidden, w, targets, temperature, scratch, this);
        context.CheckOwn(statistics, hidden, w, targets, scratch);
        Checks.Range(operation, "targets", context.Integers(targets), w.D0);
        if (targets.Length == 0) return;

        Scratch memory = new(context, scratch, targets.Length, w.RowLength, w.D0, w.DType, storeBytes);
        SumLogits(memory, hidden, w, targets, temperature);
        context.Launch(PolicyLossKernels.LogProbs, context.Rows(targets.Length), context.View<float>(statistics), memory.Sums, memory.TargetLogits);
    }

    /// <inheritdoc/>
    public void ForwardBackward(in Tensor dHidden, in Tensor dHead, in Tensor statistics, in Tensor hidden, in LinearWeight head,
        in PolicyTokens tokens, in PolicyLossOptions options, in Tensor scratch)
    {
        const string operation = "PolicyLoss.ForwardBackward";
        Tensor w = head.Rows;
        PolicyLossChecks.LogProb(operation, statistics, hidden, w, tokens.Targets, options.Temperature, scratch, this);
        PolicyLossChecks.Tokens(operation, dHidden, dHead, hidden, w, tokens, options);
        context.CheckOwn(dHidden, dHead, statistics, hidden, w, tokens.Targets, tokens.Advantages, tokens.OldLogProbs, tokens.OffPolicy,
            tokens.Weights, tokens.BehaviorLogProbs, tokens.ReferenceLogProbs, scratch);
        Checks.Range(operation, "targets", context.Integers(tokens.Targets), w.D0);
        long rows = tokens.Targets.Length;
        if (rows == 0) return;

        Scratch memory = new(context, scratch, rows, w.RowLength, w.D0, w.DType, storeBytes);
        SumLogits(memory, hidden, w, tokens.Targets, options.Temperature);
        context.Launch(PolicyLossKernels.Evaluate, context.Rows(rows), context.View<float>(statistics), memory.Gradients, memory.Sums,
            memory.TargetLogits, new PolicyTokenViews(context, tokens), options);
        for (long start = 0; start < w.D0; start += memory.Strip)
        {
            long count = Math.Min(memory.Strip, w.D0 - start);
            Tensor strip = w.Rows(start, count), dz = new(memory.Store.Buffer, memory.Store.ByteOffset, w.DType, rows, count, 1, 1);
            LogitGradientTerms terms = new()
            {
                Statistics = context.View<float>(statistics),
                Gradients = memory.Gradients,
                Weights = context.View<float>(tokens.Weights),
                Targets = context.View<int>(tokens.Targets),
                FirstToken = (int)start,
                Temperature = options.Temperature,
                EntropyCoefficient = options.EntropyCoefficient,
            };
            ProductTiles.Launch(context, w.DType, rows, count,
                new DifferentiateLaunch(context, dz, hidden, strip, terms, LinearShape.Of(context, default, rows, count, w.RowLength, hidden, strip)));
            if (dHead.Exists) linear.BackwardWeight(dHead.Rows(start, count), default, dz, hidden);
            // Sums in f32, which are rounded once, at the end.
            bool last = start + count == w.D0;
            Tensor sums = w.DType == DType.F32 ? dHidden : memory.HiddenSums, result = last ? dHidden : sums;
            ProductTiles.Launch(context, w.DType, rows, w.RowLength, new HiddenGradientLaunch(context, result, sums, start == 0 ? 0 : 1, dz, strip,
                LinearShape.Of(context, result, rows, w.RowLength, count, dz, strip)));
        }
    }

    private void SumLogits(in Scratch memory, in Tensor hidden, in Tensor head, in Tensor targets, float temperature) =>
        ProductTiles.Launch(context, head.DType, hidden.D0, head.D0, new SumLogitsLaunch(context, memory.Sums, memory.TargetLogits, hidden, head, targets,
            LinearShape.Of(context, default, hidden.D0, head.D0, head.RowLength, hidden, head), temperature));

    private static KernelConfig LogitGrid<TStorage, TTile>(in LinearShape shape)
        where TStorage : unmanaged, IStorage<TStorage>
        where TTile : struct, ITileProduct<TStorage>
    {
        int span = LogitTiles.Span<TStorage, TTile>();
        KernelConfig tiles = ProductTiles.Grid<TTile, TStorage>(shape.Rows, shape.Columns);
        return new KernelConfig(new Index3D(tiles.GridDim.X, (shape.Columns + span - 1) / span, 1), tiles.GroupDim);
    }

    /// <summary>The scratch of both passes.</summary>
    private readonly ref struct Scratch
    {
        public Scratch(IlgpuContext? context, Tensor scratch, long rows, long hiddenSize, long vocabulary, DType dtype, long storeBytes)
        {
            ScratchLayout layout = new(context, scratch);
            Sums = layout.Take<float>(rows * LogSoftmaxIlgpu.Sums * LogSoftmaxIlgpu.BlocksOf(vocabulary));
            TargetLogits = layout.Take<float>(rows);
            Gradients = layout.Take<float>(rows);
            // Bytes grow with the number of rows, so that memory for the most of them serves all.
            long row = Math.Max(1, rows) * dtype.Size(), widest = (vocabulary + StripStep - 1) / StripStep * StripStep;
            long bytes = Math.Min(row * widest, Math.Max(storeBytes, row * StripStep));
            Strip = bytes / row / StripStep * StripStep;
            Store = layout.Take(DType.U8, rows == 0 ? 0 : bytes);
            HiddenSums = dtype == DType.F32 ? default : layout.Take(DType.F32, rows, hiddenSize);
            Bytes = layout.Bytes;
        }

        public long Bytes { get; }

        /// <summary>Tokens of the vocabulary whose dz the store holds.</summary>
        public long Strip { get; }

        /// <summary>[R, 3, blocks].</summary>
        public ArrayView<float> Sums { get; }

        /// <summary>[R]: scaled.</summary>
        public ArrayView<float> TargetLogits { get; }

        /// <summary>[R]: of the policy and KL terms by the log-prob.</summary>
        public ArrayView<float> Gradients { get; }

        /// <summary>dz of a strip.</summary>
        public Tensor Store { get; }

        /// <summary>[R, H] F32: dHidden of the strips so far, where dHidden itself is bf16.</summary>
        public Tensor HiddenSums { get; }
    }

    private readonly struct SumLogitsLaunch(IlgpuContext context, ArrayView<float> sums, ArrayView<float> targetLogits, Tensor hidden, Tensor head,
        Tensor targets, LinearShape shape, float temperature) : IProductLaunch
    {
        public void Launch<TStorage, TTile>()
            where TStorage : unmanaged, IStorage<TStorage>
            where TTile : struct, ITileProduct<TStorage> => context.Launch(PolicyLossKernels.SumLogits<TStorage, TTile>,
                LogitGrid<TStorage, TTile>(shape), sums, targetLogits, context.View<TStorage>(hidden), context.View<TStorage>(head),
                context.View<int>(targets), shape, temperature);
    }

    private readonly struct DifferentiateLaunch(IlgpuContext context, Tensor dz, Tensor hidden, Tensor head, LogitGradientTerms terms, LinearShape shape)
        : IProductLaunch
    {
        public void Launch<TStorage, TTile>()
            where TStorage : unmanaged, IStorage<TStorage>
            where TTile : struct, ITileProduct<TStorage> => context.Launch(PolicyLossKernels.Differentiate<TStorage, TTile>,
                LogitGrid<TStorage, TTile>(shape), context.View<TStorage>(dz), context.View<TStorage>(hidden), context.View<TStorage>(head), terms, shape);
    }

    private readonly struct HiddenGradientLaunch(IlgpuContext context, Tensor result, Tensor sums, int adds, Tensor dz, Tensor head, LinearShape shape)
        : IProductLaunch
    {
        public void Launch<TStorage, TTile>()
            where TStorage : unmanaged, IStorage<TStorage>
            where TTile : struct, ITileProduct<TStorage> => context.Launch(PolicyLossKernels.AddHiddenGradient<TStorage, TTile>,
                ProductTiles.Grid<TTile, TStorage>(shape.Rows, shape.Columns), context.View<byte>(result), context.View<float>(sums), adds,
                context.View<TStorage>(dz), context.View<TStorage>(head), shape);
    }
}
