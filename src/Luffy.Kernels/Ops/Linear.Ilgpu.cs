using Luffy.Kernels.Ilgpu;
using Luffy.Kernels.Ilgpu.Products;

namespace Luffy.Kernels;

/// <summary><see cref="ILinear"/> on any GPU. The packed form is the rows. Products are those of <see cref="TileProduct"/>, whatever their size.</summary>
internal sealed class LinearIlgpu(IlgpuContext context) : ILinear
{
    /// <inheritdoc/>
    public long PackedBytes(long n, long k, DType dtype) => n * k * dtype.Size();

    /// <inheritdoc/>
    public void Pack(in Tensor packed, in Tensor weight)
    {
        LinearChecks.Pack(packed, weight);
        context.CheckOwn(packed, weight);
        context.Copy(new LinearWeight(packed, weight.DType, weight.D0, weight.RowLength).Rows, weight);
    }

    /// <inheritdoc/>
    public void PackRows(in LinearWeight weight, in Tensor rows, long firstRow)
    {
        Tensor range = LinearChecks.PackedRange("Linear.PackRows", weight, rows, firstRow);
        context.CheckOwn(range, rows);
        context.Copy(range, rows);
    }

    /// <inheritdoc/>
    public void Unpack(in Tensor rows, in LinearWeight weight, long firstRow = 0)
    {
        Tensor range = LinearChecks.PackedRange("Linear.Unpack", weight, rows, firstRow);
        context.CheckOwn(range, rows);
        context.Copy(rows, range);
    }

    /// <inheritdoc/>
    public void Forward(in Tensor y, in Tensor x, in LinearWeight weight, in Tensor bias = default)
    {
        Tensor w = weight.Rows;
        LinearChecks.Forward(y, x, w, bias);
        context.CheckOwn(y, x, w, bias);
        LinearShape shape = LinearShape.Of(context, y, x.D0, w.D0, w.RowLength, x, w);
        if (bias.Exists) shape.Flags |= LinearShape.HasBias;
        ProductTiles.Launch(context, x.DType, x.D0, w.D0, new ForwardLaunch(context, y, x, w, bias.Exists ? bias : w, shape));
    }

    /// <inheritdoc/>
    public void BackwardInput(in Tensor dx, in Tensor dy, in LinearWeight weight)
    {
        Tensor w = weight.Rows;
        LinearChecks.BackwardInput(dx, dy, w);
        context.CheckOwn(dx, dy, w);
        ProductTiles.Launch(context, dy.DType, dy.D0, w.RowLength, new BackwardInputLaunch(context, dx, dy, w, LinearShape.Of(context, dx, dy.D0, w.RowLength, w.D0, dy, w)));
    }

    /// <inheritdoc/>
    public void BackwardWeight(in Tensor dWeight, in Tensor dBias, in Tensor dy, in Tensor x)
    {
        LinearChecks.BackwardWeight(dWeight, dBias, dy, x);
        context.CheckOwn(dWeight, dBias, dy, x);
        ProductTiles.Launch(context, dy.DType, dy.RowLength, x.RowLength,
            new BackwardWeightLaunch(context, dWeight, dy, x, LinearShape.Of(context, dWeight, dy.RowLength, x.RowLength, x.D0, dy, x)));
        if (!dBias.Exists || dy.D0 == 0) return;
        if (dy.DType == DType.F32) BackwardBias<F32Storage>(dBias, dy);
        else BackwardBias<Bf16Storage>(dBias, dy);
    }

    private void BackwardBias<T>(in Tensor dBias, in Tensor dy) where T : unmanaged, IStorage<T> => context.Launch(LinearKernels.BackwardBias<T>,
        context.Rows((dBias.Length + LinearKernels.BiasColumns - 1) / LinearKernels.BiasColumns), context.View<float>(dBias), context.View<T>(dy),
        checked((int)dy.D0));

    private readonly struct ForwardLaunch(IlgpuContext context, Tensor y, Tensor x, Tensor w, Tensor bias, LinearShape shape) : IProductLaunch
    {
        public void Launch<TStorage, TTile>()
            where TStorage : unmanaged, IStorage<TStorage>
            where TTile : struct, ITileProduct<TStorage> => context.Launch(LinearKernels.Forward<TStorage, TTile>,
                ProductTiles.Grid<TTile, TStorage>(shape.Rows, shape.Columns), context.View<byte>(y), context.View<TStorage>(x), context.View<TStorage>(w),
                context.View<TStorage>(bias), shape);
    }

    private readonly struct BackwardInputLaunch(IlgpuContext context, Tensor dx, Tensor dy, Tensor w, LinearShape shape) : IProductLaunch
    {
        public void Launch<TStorage, TTile>()
            where TStorage : unmanaged, IStorage<TStorage>
            where TTile : struct, ITileProduct<TStorage> => context.Launch(LinearKernels.BackwardInput<TStorage, TTile>,
                ProductTiles.Grid<TTile, TStorage>(shape.Rows, shape.Columns), context.View<byte>(dx), context.View<TStorage>(dy),
                context.View<TStorage>(w), shape);
    }

    private readonly struct BackwardWeightLaunch(IlgpuContext context, Tensor dWeight, Tensor dy, Tensor x, LinearShape shape) : IProductLaunch
    {
        public void Launch<TStorage, TTile>()
            where TStorage : unmanaged, IStorage<TStorage>
            where TTile : struct, ITileProduct<TStorage> => context.Launch(LinearKernels.BackwardWeight<TStorage, TTile>,
                ProductTiles.Grid<TTile, TStorage>(shape.Rows, shape.Columns), context.View<byte>(dWeight), context.View<TStorage>(dy),
                context.View<TStorage>(x), shape);
    }
}
