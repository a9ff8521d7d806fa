using System.Numerics;
using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary><see cref="IEmbedding"/> on any GPU. The host knows the ids, so it says which tokens each row of the gradient is a sum of.</summary>
internal sealed class EmbeddingIlgpu(IlgpuContext context) : IEmbedding, IDisposable
{
    private readonly IdGroups _groups = new();
    private IlgpuBuffer? _onDevice;

    /// <summary>Bytes of the host and the device that this holds for good.</summary>
    public long WorkspaceBytes => _groups.Bytes + (_onDevice?.Bytes ?? 0);

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
        ReadOnlySpan<int> tokens = context.Integers(ids);
        Checks.Range("Embedding.Backward", "ids", tokens, dWeight.D0);
        _groups.Group(tokens, checked((int)dWeight.D0));
        Tensor groups = Uploaded(tokens.Length);
        switch (dWeight.DType, dy.DType)
        {
            case (DType.F32, DType.F32): Backward<F32Storage, F32Storage>(dWeight, dy, ids, groups); break;
            case (DType.F32, _): Backward<F32Storage, Bf16Storage>(dWeight, dy, ids, groups); break;
            default: Backward<Bf16Storage, Bf16Storage>(dWeight, dy, ids, groups); break;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _onDevice?.Dispose();

    private void Forward<T>(in Tensor y, in Tensor weight, in Tensor ids) where T : unmanaged, IStorage<T> => context.Launch(
        EmbeddingKernels.Forward<T>, context.RowElements(ids.Length, weight.RowLength), context.View<T>(y), context.View<T>(weight),
        context.View<int>(ids), (int)weight.RowLength);

    private void Backward<TSum, T>(in Tensor dWeight, in Tensor dy, in Tensor ids, in Tensor groups)
        where TSum : unmanaged, IStorage<TSum>
        where T : unmanaged, IStorage<T> => context.Launch(EmbeddingKernels.Backward<TSum, T>, context.RowElements(_groups.Count, dWeight.RowLength),
            context.View<TSum>(dWeight), context.View<T>(dy), context.View<int>(ids), context.View<int>(groups), (int)dWeight.RowLength);

    // Grows to the most tokens of any call. Bytes, because the host need not remember integers that it never asks for.
    private Tensor Uploaded(int tokens)
    {
        long needed = BitOperations.RoundUpToPowerOf2((uint)IdGroups.PackedLength(tokens)) * (long)sizeof(int);
        if (_onDevice is null || _onDevice.Bytes < needed)
        {
            // A kernel issued before may still read it.
            context.Synchronize();
            _onDevice?.Dispose();
            _onDevice = new IlgpuBuffer(context, "embedding's groups", needed);
        }

        Tensor groups = _onDevice.View(0, DType.U8, _groups.Packed.Length * sizeof(int));
        context.Upload(groups, _groups.Packed);
        return groups;
    }
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

    /// <summary>One row of the grid for each distinct id, which adds the rows of its tokens in ascending order.</summary>
    /// <param name="dWeight">[V, H].</param>
    /// <param name="dy">[T, H].</param>
    /// <param name="ids">[T].</param>
    /// <param name="groups">The tokens of each id, as <see cref="IdGroups.Packed"/>.</param>
    /// <param name="width">H.</param>
    [Kernel]
    public static void Backward<TSum, T>(ArrayView<TSum> dWeight, ArrayView<T> dy, ArrayView<int> ids, ArrayView<int> groups, int width)
        where TSum : unmanaged, IStorage<TSum>
        where T : unmanaged, IStorage<T>
    {
        int begin = groups[Grid.IdxX], end = groups[Grid.IdxX + 1];
        ArrayView<int> tokens = groups.SubView(Grid.DimX + 1);
        ArrayView<TSum> sums = dWeight.SubView((long)ids[tokens[begin]] * width, width);
        for (int h = GridStride.FirstInRow; h < width; h += GridStride.StepInRow)
        {
            TSum sum = sums[h];
            int i = begin;
            // Four rows are on their way before the first is added: a frequent id is one long chain, and would wait for each row in turn.
            for (; i + 3 < end; i += 4)
            {
                float a = T.Load(dy[((long)tokens[i] * width) + h]), b = T.Load(dy[((long)tokens[i + 1] * width) + h]);
                float c = T.Load(dy[((long)tokens[i + 2] * width) + h]), d = T.Load(dy[((long)tokens[i + 3] * width) + h]);
                sum = Add(Add(Add(Add(sum, a), b), c), d);
            }

            for (; i < end; i++) sum = Add(sum, T.Load(dy[((long)tokens[i] * width) + h]));
            sums[h] = sum;
        }
    }

    private static TSum Add<TSum>(TSum sum, float term) where TSum : unmanaged, IStorage<TSum> => TSum.Store(TSum.Load(sum) + term);

    private struct Gather<T> : IElementwise<T> where T : unmanaged
    {
        public ArrayView<T> To, From;

        public readonly T Read(int i) => From[i];

        public readonly void Write(int i, T read) => To[i] = read;
    }
}
