using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

// The cache: [pages][keys, values][key-value heads][tokens of a page][D], so that a tile of keys of one head is a few stretches of memory.
internal static partial class AttentionKernels
{
    /// <summary>A row of the grid for each token, whose keys and values it moves.</summary>
    [Kernel]
    public static void StoreKeyValue<T>(ArrayView<T> cache, ArrayView<T> qkv, ArrayView<int> slots, AttentionGeometry shape)
        where T : unmanaged, IStorage<T>
    {
        int slot = slots[Grid.IdxX], matrices = 2 * shape.KeyValueHeads, page = slot / IAttention.PageSize;
        StoredElement<T> body = new()
        {
            Page = cache.SubView((long)page * matrices * IAttention.PageSize * shape.HeadDim, (long)matrices * IAttention.PageSize * shape.HeadDim),
            Row = qkv.SubView((((long)Grid.IdxX * shape.PackedHeads) + shape.Heads) * shape.HeadDim, (long)matrices * shape.HeadDim),
            Place = slot - (page * IAttention.PageSize),
            HeadDim = shape.HeadDim,
        };
        GridStride.ForEach<StoredElement<T>, T>(body, GridStride.FirstInRow, GridStride.StepInRow, matrices * shape.HeadDim);
    }

    /// <summary>A row of the grid for each copy: source page, destination page.</summary>
    [Kernel]
    public static void CopyPages<T>(ArrayView<T> cache, ArrayView<int> copies, int pageElements)
        where T : unmanaged, IStorage<T>
    {
        CopiedElement<T> body = new()
        {
            From = cache.SubView((long)copies[2 * Grid.IdxX] * pageElements, pageElements),
            To = cache.SubView((long)copies[(2 * Grid.IdxX) + 1] * pageElements, pageElements),
        };
        GridStride.ForEach<CopiedElement<T>, T>(body, GridStride.FirstInRow, GridStride.StepInRow, pageElements);
    }

    private struct StoredElement<T> : IElementwise<T> where T : unmanaged, IStorage<T>
    {
        public ArrayView<T> Page, Row;

        public int Place, HeadDim;

        public readonly T Read(int i) => Row[i];

        public readonly void Write(int i, T element)
        {
            int matrix = i / HeadDim;
            Page[(((matrix * IAttention.PageSize) + Place) * HeadDim) + i - (matrix * HeadDim)] = element;
        }
    }

    private struct CopiedElement<T> : IElementwise<T> where T : unmanaged, IStorage<T>
    {
        public ArrayView<T> From, To;

        public readonly T Read(int i) => From[i];

        public readonly void Write(int i, T element) => To[i] = element;
    }
}
