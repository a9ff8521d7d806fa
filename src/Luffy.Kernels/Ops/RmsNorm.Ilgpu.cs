using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary><see cref="IRmsNorm"/> on any GPU.</summary>
internal sealed class RmsNormIlgpu(IlgpuContext context) : IRmsNorm
{
    /// <inheritdoc/>
    public void Forward(in Tensor y, in Tensor rstd, in Tensor x, in Tensor weight, float epsilon)
    {
        RmsNormChecks.Forward("RmsNorm.Forward", y, rstd, x, weight, x, x);
        context.CheckOwn(y, rstd, x, weight);
        if (x.DType == DType.F32) Forward<F32Storage>(y, rstd, x, weight, epsilon);
        else Forward<Bf16Storage>(y, rstd, x, weight, epsilon);
    }

    /// <inheritdoc/>
    public void AddForward(in Tensor y, in Tensor sum, in Tensor rstd, in Tensor x, in Tensor delta, in Tensor weight, float epsilon)
    {
        RmsNormChecks.Forward("RmsNorm.AddForward", y, rstd, x, weight, sum, delta);
        context.CheckOwn(y, sum, rstd, x, delta, weight);
        if (x.DType == DType.F32) AddForward<F32Storage>(y, sum, rstd, x, delta, weight, epsilon);
        else AddForward<Bf16Storage>(y, sum, rstd, x, delta, weight, epsilon);
    }

    /// <inheritdoc/>
    public void Backward(in Tensor dx, in Tensor dWeight, in Tensor dy, in Tensor x, in Tensor rstd, in Tensor weight)
    {
        RmsNormChecks.Backward("RmsNorm.Backward", dx, dWeight, dy, dy, x, rstd, weight);
        context.CheckOwn(dx, dWeight, dy, x, rstd, weight);
        // Without a residual any view of the right type will do: it is not read.
        if (x.DType == DType.F32) Backward<F32Storage>(dx, dWeight, dy, dy, false, x, rstd, weight);
        else Backward<Bf16Storage>(dx, dWeight, dy, dy, false, x, rstd, weight);
    }

    /// <inheritdoc/>
    public void AddBackward(in Tensor dx, in Tensor dWeight, in Tensor dy, in Tensor dResidual, in Tensor x, in Tensor rstd, in Tensor weight)
    {
        RmsNormChecks.Backward("RmsNorm.AddBackward", dx, dWeight, dy, dResidual, x, rstd, weight);
        context.CheckOwn(dx, dWeight, dy, dResidual, x, rstd, weight);
        if (x.DType == DType.F32) Backward<F32Storage>(dx, dWeight, dy, dResidual, true, x, rstd, weight);
        else Backward<Bf16Storage>(dx, dWeight, dy, dResidual, true, x, rstd, weight);
    }

    private void Forward<T>(in Tensor y, in Tensor rstd, in Tensor x, in Tensor weight, float epsilon) where T : unmanaged, IStorage<T> =>
        context.Launch(RmsNormKernels.Forward<T>, context.Rows(x.D0), context.View<T>(y), context.View<float>(rstd), context.View<T>(x),
            context.View<T>(weight), epsilon);

    private void AddForward<T>(in Tensor y, in Tensor sum, in Tensor rstd, in Tensor x, in Tensor delta, in Tensor weight, float epsilon)
        where T : unmanaged, IStorage<T> => context.Launch(RmsNormKernels.AddForward<T>, context.Rows(x.D0), context.View<T>(y),
            context.View<T>(sum), context.View<float>(rstd), context.View<T>(x), context.View<T>(delta), context.View<T>(weight), epsilon);

    private void Backward<T>(in Tensor dx, in Tensor dWeight, in Tensor dy, in Tensor dResidual, bool adds, in Tensor x, in Tensor rstd,
        in Tensor weight) where T : unmanaged, IStorage<T>
    {
        // First the weight's gradient, which reads dy: dx may be the memory of the residual, but never that of dy.
        int width = (int)x.RowLength, blocks = (width + RmsNormKernels.Columns - 1) / RmsNormKernels.Columns;
        if (x.D0 > 0)
        {
            context.Launch(RmsNormKernels.BackwardWeight<T>, context.Rows(blocks), context.View<float>(dWeight), context.View<T>(dy),
                context.View<T>(x), context.View<float>(rstd), width);
        }

        context.Launch(RmsNormKernels.BackwardInput<T>, context.Rows(x.D0), context.View<T>(dx), context.View<T>(dy), context.View<T>(dResidual),
            adds ? 1 : 0, context.View<T>(x), context.View<float>(rstd), context.View<T>(weight));
    }
}

/// <summary>The kernels of <see cref="RmsNormIlgpu"/>: a group for each row, whose sums are those of <see cref="FixedTree"/>.</summary>
internal static class RmsNormKernels
{
    /// <summary>Columns of the weight's gradient that one group sums.</summary>
    public const int Columns = 32;

    // Rows whose terms a group works out together before it adds them up one after another.
    private const int Tile = 64;

    /// <summary>y = x · rstd · w.</summary>
    [Kernel]
    public static void Forward<T>(ArrayView<T> y, ArrayView<float> rstd, ArrayView<T> x, ArrayView<T> weight, float epsilon)
        where T : unmanaged, IStorage<T>
    {
        ArrayView<float> lanes = SharedMemory.Allocate<float>(FixedTree.Lanes);
        Normalize(y, rstd, x, weight, epsilon, lanes);
    }

    /// <summary>sum = x + delta, and then as <see cref="Forward"/>. Each thread reads back only what it wrote itself.</summary>
    [Kernel]
    public static void AddForward<T>(ArrayView<T> y, ArrayView<T> sum, ArrayView<float> rstd, ArrayView<T> x, ArrayView<T> delta, ArrayView<T> weight,
        float epsilon) where T : unmanaged, IStorage<T>
    {
        ArrayView<float> lanes = SharedMemory.Allocate<float>(FixedTree.Lanes);
        int width = weight.IntLength;
        long row = (long)Grid.IdxX * width;
        for (int lane = Group.IdxX; lane < FixedTree.Lanes; lane += Group.DimX)
        {
            for (int h = lane; h < width; h += FixedTree.Lanes) sum[row + h] = T.Store(T.Load(x[row + h]) + T.Load(delta[row + h]));
        }

        Normalize(y, rstd, sum, weight, epsilon, lanes);
    }

    /// <summary>dx = rstd · (w·dy − x · rstd² · mean(w·dy·x)), and the residual's gradient where <paramref name="adds"/> is not 0.</summary>
    [Kernel]
    public static void BackwardInput<T>(ArrayView<T> dx, ArrayView<T> dy, ArrayView<T> dResidual, int adds, ArrayView<T> x, ArrayView<float> rstd,
        ArrayView<T> weight) where T : unmanaged, IStorage<T>
    {
        ArrayView<float> lanes = SharedMemory.Allocate<float>(FixedTree.Lanes);
        int width = weight.IntLength;
        long row = (long)Grid.IdxX * width;
        for (int lane = Group.IdxX; lane < FixedTree.Lanes; lane += Group.DimX)
        {
            float partial = 0;
            for (int h = lane; h < width; h += FixedTree.Lanes)
                partial = DeviceMath.FusedMultiplyAdd(T.Load(weight[h]) * T.Load(dy[row + h]), T.Load(x[row + h]), partial);
            lanes[lane] = partial;
        }

        float r = rstd[Grid.IdxX], correction = r * r * (FixedTree.Sum(lanes) / width);
        for (int h = Group.IdxX; h < width; h += Group.DimX)
        {
            float scaled = T.Load(weight[h]) * T.Load(dy[row + h]), difference = DeviceMath.FusedMultiplyAdd(-T.Load(x[row + h]), correction, scaled);
            float value = adds != 0 ? DeviceMath.FusedMultiplyAdd(r, difference, T.Load(dResidual[row + h])) : r * difference;
            dx[row + h] = T.Store(value);
        }
    }

    /// <summary>
    /// dWeight[h] += Σ_t dy·x·rstd over ascending t, for <see cref="Columns"/> columns a group. All threads work out the terms of a tile of
    /// rows; then one thread a column adds them up, so that the sum is one chain.
    /// </summary>
    [Kernel]
    public static void BackwardWeight<T>(ArrayView<float> dWeight, ArrayView<T> dy, ArrayView<T> x, ArrayView<float> rstd, int width)
        where T : unmanaged, IStorage<T>
    {
        ArrayView<float> terms = SharedMemory.Allocate<float>(Tile * Columns);
        int rows = rstd.IntLength, start = Grid.IdxX * Columns;
        for (int tile = 0; tile < rows; tile += Tile)
        {
            int count = IntrinsicMath.Min(Tile, rows - tile);
            for (int i = Group.IdxX; i < count * Columns; i += Group.DimX)
            {
                int t = tile + (i / Columns), h = start + (i % Columns);
                if (h >= width) continue;
                long at = ((long)t * width) + h;
                terms[i] = T.Load(dy[at]) * T.Load(x[at]) * rstd[t];
            }

            Group.Barrier();
            for (int column = Group.IdxX; column < Columns && start + column < width; column += Group.DimX)
            {
                float sum = dWeight[start + column];
                for (int t = 0; t < count; t++) sum += terms[(t * Columns) + column];
                dWeight[start + column] = sum;
            }

            Group.Barrier();
        }
    }

    // The same lines for both kernels, so that the sum's norm has the bits of the norm of the sum.
    private static void Normalize<T>(ArrayView<T> y, ArrayView<float> rstd, ArrayView<T> x, ArrayView<T> weight, float epsilon, ArrayView<float> lanes)
        where T : unmanaged, IStorage<T>
    {
        int width = weight.IntLength;
        long row = (long)Grid.IdxX * width;
        for (int lane = Group.IdxX; lane < FixedTree.Lanes; lane += Group.DimX)
        {
            float partial = 0;
            for (int h = lane; h < width; h += FixedTree.Lanes)
            {
                float value = T.Load(x[row + h]);
                partial = DeviceMath.FusedMultiplyAdd(value, value, partial);
            }

            lanes[lane] = partial;
        }

        float reciprocal = 1 / MathF.Sqrt((FixedTree.Sum(lanes) / width) + epsilon);
        if (Group.IdxX == 0) rstd[Grid.IdxX] = reciprocal;
        for (int h = Group.IdxX; h < width; h += Group.DimX) y[row + h] = T.Store(T.Load(x[row + h]) * reciprocal * T.Load(weight[h]));
    }
}
