using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary><see cref="IEmbedding"/> on any GPU.</summary>
internal sealed class EmbeddingIlgpu(IlgpuContext context) : IEmbedding
{
    /// <inheritdoc/>
    public void Forward(in Tensor y, in LinearWeight weight, in Tensor ids)
    {
        Tensor w = weight.Rows;
        EmbeddingChecks.Forward(y, w, ids);
        context.CheckOwn(y, w, ids);
        Checks.Range("Embedding.Forward", "ids", context.Integers(ids), w.D0);
        if (w.DType == DType.F32) Forward<F32Storage>(y, w, ids);
        else Forward<Bf16Storage>(y, w, ids);
    }

    /// <inheritdoc/>
    public void Backward(in Tensor dWeight, in Tensor dy, in Tensor ids)
    {
        EmbeddingChecks.Backward(dWeight, dy, ids);
        context.CheckOwn(dWeight, dy, ids);
        Checks.Range("Embedding.Backward", "ids", context.Integers(ids), dWeight.D0);
        switch (dWeight.DType, dy.DType)
        {
            case (DType.F32, DType.F32): Backward<F32Storage, F32Storage>(dWeight, dy, ids); break;
            case (DType.F32, _): Backward<F32Storage, Bf16Storage>(dWeight, dy, ids); break;
            default: Backward<Bf16Storage, Bf16Storage>(dWeight, dy, ids); break;
        }
    }

    private void Forward<T>(in Tensor y, in Tensor weight, in Tensor ids) where T : unmanaged, IStorage<T> => context.Launch(
        EmbeddingKernels.Forward<T>, context.RowElements(ids.Length, weight.RowLength), context.View<T>(y), context.View<T>(weight),
        context.View<int>(ids), (int)weight.RowLength);

    private void Backward<TSum, T>(in Tensor dWeight, in Tensor dy, in Tensor ids)
        where TSum : unmanaged, IStorage<TSum>
        where T : unmanaged, IStorage<T> => context.Launch(EmbeddingKernels.Backward<TSum, T>, context.RowElements(ids.Length, dWeight.RowLength),
            context.View<TSum>(dWeight), context.View<T>(dy), context.View<int>(ids), (int)dWeight.RowLength);
}

/// <summary>The kernels of <see cref="EmbeddingIlgpu"/>, in the shape of <see cref="IlgpuContext.RowElements"/>.</summary>
internal static class EmbeddingKernels
{
    /// <summary>One row of the grid for each token.</summary>
    [Kernel]
    public static void Forward<T>(ArrayView<T> y, ArrayView<T> weight, ArrayView<int> ids, int width) where T : unmanaged, IStorage<T>
    {
        Gather<T> body = new() { To = y.SubView((long)Grid.IdxX * width, width), From = weight.SubView((long)ids[Grid.IdxX] * width, width) };
        GridStride.ForEach<Gather<T>, T>(body, GridStride.FirstInRow, GridStride.StepInRow, width);
    }

    /// <summary>
    /// One row of the grid for each token, but only an id's first token does anything: it adds the rows of all tokens with that id, in
    /// ascending order. Finding them reads the ids again for each token, which caches serve; no memory is needed to sort them.
    /// </summary>
    [Kernel]
    public static void Backward<TSum, T>(ArrayView<TSum> dWeight, ArrayView<T> dy, ArrayView<int> ids, int width)
        where TSum : unmanaged, IStorage<TSum>
        where T : unmanaged, IStorage<T>
    {
        int first = Grid.IdxX, id = ids[first], tokens = ids.IntLength;
        for (int t = 0; t < first; t++)
        {
            if (ids[t] == id) return;
        }

        for (int h = GridStride.FirstInRow; h < width; h += GridStride.StepInRow)
        {
            long at = ((long)id * width) + h;
            TSum sum = dWeight[at];
            for (int t = first; t < tokens; t++)
            {
                if (ids[t] == id) sum = TSum.Store(TSum.Load(sum) + T.Load(dy[((long)t * width) + h]));
            }

            dWeight[at] = sum;
        }
    }

    private struct Gather<T> : IElementwise<T> where T : unmanaged
    {
        public ArrayView<T> To, From;

        public readonly T Read(int i) => From[i];

        public readonly void Write(int i, T read) => To[i] = read;
    }
}
