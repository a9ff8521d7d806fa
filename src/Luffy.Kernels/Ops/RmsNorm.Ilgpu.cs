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
        // Without a residual any view of the right size will do: what is read of it is not added.
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
        Normalize(Row(y, weight), rstd, Row(x, weight), weight, epsilon, lanes);
    }

    /// <summary>sum = x + delta, and then as <see cref="Forward"/>. Until the first barrier each thread reads back only what it wrote itself.</summary>
    [Kernel]
    public static void AddForward<T>(ArrayView<T> y, ArrayView<T> sum, ArrayView<float> rstd, ArrayView<T> x, ArrayView<T> delta, ArrayView<T> weight,
        float epsilon) where T : unmanaged, IStorage<T>
    {
        ArrayView<float> lanes = SharedMemory.Allocate<float>(FixedTree.Lanes);
        ArrayView<T> total = Row(sum, weight);
        Addition<T> addition = new() { Sum = total, X = Row(x, weight), Delta = Row(delta, weight) };
        for (int lane = Group.IdxX; lane < FixedTree.Lanes; lane += Group.DimX)
            GridStride.ForEach<Addition<T>, Terms<T>>(addition, lane, FixedTree.Lanes, weight.IntLength);
        Normalize(Row(y, weight), rstd, total, weight, epsilon, lanes);
    }

    /// <summary>dx = rstd · (w·dy − x · rstd² · mean(w·dy·x)), and the residual's gradient where <paramref name="adds"/> is not 0.</summary>
    [Kernel]
    public static void BackwardInput<T>(ArrayView<T> dx, ArrayView<T> dy, ArrayView<T> dResidual, int adds, ArrayView<T> x, ArrayView<float> rstd,
        ArrayView<T> weight) where T : unmanaged, IStorage<T>
    {
        ArrayView<float> lanes = SharedMemory.Allocate<float>(FixedTree.Lanes);
        ArrayView<T> input = Row(x, weight), gradient = Row(dy, weight);
        int width = weight.IntLength;
        for (int lane = Group.IdxX; lane < FixedTree.Lanes; lane += Group.DimX)
        {
            float partial = 0;
            for (int h = lane; h < width; h += FixedTree.Lanes)
                partial = DeviceMath.FusedMultiplyAdd(T.Load(weight[h]) * T.Load(gradient[h]), T.Load(input[h]), partial);
            lanes[lane] = partial;
        }

        float r = rstd[Grid.IdxX];
        InputGradient<T> body = new()
        {
            Dx = Row(dx, weight),
            Dy = gradient,
            Residual = Row(dResidual, weight),
            X = input,
            Weight = weight,
            Adds = adds,
            Reciprocal = r,
            Correction = r * r * (FixedTree.Sum(lanes) / width),
        };
        GridStride.ForEach<InputGradient<T>, GradientTerms<T>>(body, Group.IdxX, Group.DimX, width);
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
        int rows = rstd.IntLength, start = Grid.IdxX * Columns, columns = IntrinsicMath.Min(Columns, width - start);
        for (int tile = 0; tile < rows; tile += Tile)
        {
            int count = IntrinsicMath.Min(Tile, rows - tile);
            WeightTerms<T> body = new()
            {
                Terms = terms,
                Dy = dy.SubView((long)tile * width, count * width),
                X = x.SubView((long)tile * width, count * width),
                Reciprocals = rstd.SubView(tile, count),
                Start = start,
                LastColumn = columns - 1,
                Width = width,
            };
            GridStride.ForEach<WeightTerms<T>, Terms<T>>(body, Group.IdxX, Group.DimX, count * Columns);
            Group.Barrier();
            for (int column = Group.IdxX; column < columns; column += Group.DimX)
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
        for (int lane = Group.IdxX; lane < FixedTree.Lanes; lane += Group.DimX)
        {
            float partial = 0;
            for (int h = lane; h < width; h += FixedTree.Lanes)
            {
                float value = T.Load(x[h]);
                partial = DeviceMath.FusedMultiplyAdd(value, value, partial);
            }

            lanes[lane] = partial;
        }

        float reciprocal = 1 / MathF.Sqrt((FixedTree.Sum(lanes) / width) + epsilon);
        if (Group.IdxX == 0) rstd[Grid.IdxX] = reciprocal;
        Scaling<T> body = new() { Y = y, X = x, Weight = weight, Reciprocal = reciprocal };
        GridStride.ForEach<Scaling<T>, Terms<T>>(body, Group.IdxX, Group.DimX, width);
    }

    private static ArrayView<T> Row<T>(ArrayView<T> matrix, ArrayView<T> weight) where T : unmanaged =>
        matrix.SubView(Grid.IdxX * weight.Length, weight.Length);

    private struct Terms<T> where T : unmanaged
    {
        public T First, Second;
    }

    private struct GradientTerms<T> where T : unmanaged
    {
        public T Weight, Dy, X, Residual;
    }

    private struct Addition<T> : IElementwise<Terms<T>> where T : unmanaged, IStorage<T>
    {
        public ArrayView<T> Sum, X, Delta;

        public readonly Terms<T> Read(int h) => new() { First = X[h], Second = Delta[h] };

        public readonly void Write(int h, Terms<T> read) => Sum[h] = T.Store(T.Load(read.First) + T.Load(read.Second));
    }

    private struct Scaling<T> : IElementwise<Terms<T>> where T : unmanaged, IStorage<T>
    {
        public ArrayView<T> Y, X, Weight;

        public float Reciprocal;

        public readonly Terms<T> Read(int h) => new() { First = X[h], Second = Weight[h] };

        public readonly void Write(int h, Terms<T> read) => Y[h] = T.Store(T.Load(read.First) * Reciprocal * T.Load(read.Second));
    }

    private struct InputGradient<T> : IElementwise<GradientTerms<T>> where T : unmanaged, IStorage<T>
    {
        public ArrayView<T> Dx, Dy, Residual, X, Weight;

        public int Adds;

        public float Reciprocal, Correction;

        public readonly GradientTerms<T> Read(int h) => new() { Weight = Weight[h], Dy = Dy[h], X = X[h], Residual = Residual[h] };

        public readonly void Write(int h, GradientTerms<T> read)
        {
            float scaled = T.Load(read.Weight) * T.Load(read.Dy), difference = DeviceMath.FusedMultiplyAdd(-T.Load(read.X), Correction, scaled);
            Dx[h] = T.Store(Adds != 0 ? DeviceMath.FusedMultiplyAdd(Reciprocal, difference, T.Load(read.Residual)) : Reciprocal * difference);
        }
    }

    // Element i of a tile is row i / Columns and column i % Columns; columns beyond the matrix repeat its last, and nobody adds them up.
    private struct WeightTerms<T> : IElementwise<Terms<T>> where T : unmanaged, IStorage<T>
    {
        public ArrayView<float> Terms, Reciprocals;

        public ArrayView<T> Dy, X;

        public int Start, LastColumn, Width;

        public readonly Terms<T> Read(int i)
        {
            int at = (i / Columns * Width) + Start + IntrinsicMath.Min(DeviceMath.Modulo(i, Columns), LastColumn);
            return new() { First = Dy[at], Second = X[at] };
        }

        public readonly void Write(int i, Terms<T> read) => Terms[i] = T.Load(read.First) * T.Load(read.Second) * Reciprocals[i / Columns];
    }
}
