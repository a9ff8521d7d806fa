using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary><see cref="IColumns"/> on any GPU.</summary>
internal sealed class ColumnsIlgpu(IlgpuContext context) : IColumns
{
    /// <inheritdoc/>
    public void Take(in Tensor z, in Tensor y, long start, float scale = 1)
    {
        ColumnsChecks.Range("Columns.Take", y, z, start);
        context.CheckOwn(z, y);
        if (y.DType == DType.F32) Take<F32Storage>(z, y, start, scale);
        else Take<Bf16Storage>(z, y, start, scale);
    }

    /// <inheritdoc/>
    public void Put(in Tensor y, in Tensor z, long start)
    {
        ColumnsChecks.Range("Columns.Put", y, z, start);
        context.CheckOwn(y, z);
        if (y.DType == DType.F32) Put<F32Storage>(y, z, start);
        else Put<Bf16Storage>(y, z, start);
    }

    /// <inheritdoc/>
    public void Add(in Tensor y, in Tensor z, long start, float scale)
    {
        ColumnsChecks.Range("Columns.Add", y, z, start);
        context.CheckOwn(y, z);
        if (y.DType == DType.F32) Add<F32Storage>(y, z, start, scale);
        else Add<Bf16Storage>(y, z, start, scale);
    }

    private void Take<T>(in Tensor z, in Tensor y, long start, float scale) where T : unmanaged, IStorage<T> =>
        context.Launch(ColumnsKernels.Take<T>, context.RowElements(y.D0, z.RowLength), context.View<T>(z), context.View<T>(y), start, (int)z.RowLength,
            (int)y.RowLength, scale);

    private void Put<T>(in Tensor y, in Tensor z, long start) where T : unmanaged, IStorage<T> =>
        context.Launch(ColumnsKernels.Put<T>, context.RowElements(y.D0, z.RowLength), context.View<T>(y), context.View<T>(z), start, (int)z.RowLength,
            (int)y.RowLength);

    private void Add<T>(in Tensor y, in Tensor z, long start, float scale) where T : unmanaged, IStorage<T> =>
        context.Launch(ColumnsKernels.Add<T>, context.RowElements(y.D0, z.RowLength), context.View<T>(y), context.View<T>(z), start, (int)z.RowLength,
            (int)y.RowLength, scale);
}

/// <summary>The kernels of <see cref="ColumnsIlgpu"/>: a row of the grid for each row, in the shape of <see cref="IlgpuContext.RowElements"/>.</summary>
internal static class ColumnsKernels
{
    /// <summary>z = scale · columns of y.</summary>
    [Kernel]
    public static void Take<T>(ArrayView<T> z, ArrayView<T> y, long start, int width, int stride, float scale) where T : unmanaged, IStorage<T>
    {
        long row = Grid.IdxX;
        ScaledElement<T> body = new() { To = z.SubView(row * width, width), From = y.SubView((row * stride) + start, width), Scale = scale };
        GridStride.ForEach<ScaledElement<T>, T>(body, GridStride.FirstInRow, GridStride.StepInRow, width);
    }

    /// <summary>columns of y = z.</summary>
    [Kernel]
    public static void Put<T>(ArrayView<T> y, ArrayView<T> z, long start, int width, int stride) where T : unmanaged, IStorage<T>
    {
        long row = Grid.IdxX;
        ScaledElement<T> body = new() { To = y.SubView((row * stride) + start, width), From = z.SubView(row * width, width), Scale = 1 };
        GridStride.ForEach<ScaledElement<T>, T>(body, GridStride.FirstInRow, GridStride.StepInRow, width);
    }

    /// <summary>columns of y += scale · z.</summary>
    [Kernel]
    public static void Add<T>(ArrayView<T> y, ArrayView<T> z, long start, int width, int stride, float scale) where T : unmanaged, IStorage<T>
    {
        long row = Grid.IdxX;
        AddedElement<T> body = new() { To = y.SubView((row * stride) + start, width), From = z.SubView(row * width, width), Scale = scale };
        GridStride.ForEach<AddedElement<T>, Pair<T>>(body, GridStride.FirstInRow, GridStride.StepInRow, width);
    }

    private struct Pair<T> where T : unmanaged
    {
        public T Sum, Term;
    }

    private struct ScaledElement<T> : IElementwise<T> where T : unmanaged, IStorage<T>
    {
        public ArrayView<T> To, From;

        public float Scale;

        public readonly T Read(int i) => From[i];

        public readonly void Write(int i, T read) => To[i] = T.Store(Scale * T.Load(read));
    }

    private struct AddedElement<T> : IElementwise<Pair<T>> where T : unmanaged, IStorage<T>
    {
        public ArrayView<T> To, From;

        public float Scale;

        public readonly Pair<T> Read(int i) => new() { Sum = To[i], Term = From[i] };

        public readonly void Write(int i, Pair<T> read) => To[i] = T.Store(DeviceMath.FusedMultiplyAdd(Scale, T.Load(read.Term), T.Load(read.Sum)));
    }
}
