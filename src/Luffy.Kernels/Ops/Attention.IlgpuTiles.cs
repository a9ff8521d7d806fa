using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary>Tiles between tensors and the memory that a group shares.</summary>
internal static class HeadTile
{
    /// <summary>Slices of a head.</summary>
    public static int Slices<TWidth>(int headDim) where TWidth : unmanaged, IHeadWidth =>
        TWidth.IsFull ? TWidth.Slices : (headDim + TWidth.Side - 1) / TWidth.Side;

    /// <summary><see cref="Float4"/> of one slice.</summary>
    public static int Quads<TWidth>(int headDim, int slice) where TWidth : unmanaged, IHeadWidth => TWidth.IsFull
        ? TWidth.Side / 4
        : IntrinsicMath.Min(TWidth.Side / 4, (headDim - (slice * TWidth.Side) + 3) / 4);

    /// <summary>
    /// This thread's part of one slice of a tile of rows, on its way from memory: nothing waits for it before <see cref="Put"/>. Rows beyond the last are
    /// the last: whoever computes with them gives them no weight.
    /// </summary>
    public static FetchedRows<T> Fetch<T, TWidth, TRows>(ArrayView<T> from, TRows rows, int first, int slice, int headDim)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
        where TRows : struct, IHeadRows
    {
        int row = first + SquareTile.Lane<TWidth>(), column = (slice * TWidth.Side) + (4 * SquareTile.Column<TWidth>()), step = SquareTile.Lanes<TWidth>();
        return new FetchedRows<T>
        {
            A = Elements<T, TWidth, TRows>(from, rows, row, column, headDim),
            B = Elements<T, TWidth, TRows>(from, rows, row + step, column, headDim),
            C = Elements<T, TWidth, TRows>(from, rows, row + (2 * step), column, headDim),
            D = Elements<T, TWidth, TRows>(from, rows, row + (3 * step), column, headDim),
        };
    }

    /// <summary>One slice of a tile of rows and one of a tile of keys: both on their way before anything waits, where their elements fit in so many registers.</summary>
    public static void Load<T, TWidth, TRows, TKeys>(ArrayView<Float4> rowTile, ArrayView<T> rowStorage, TRows rows, int firstRow, ArrayView<Float4> keyTile,
        ArrayView<T> keyStorage, TKeys keys, int firstKey, int slice, int headDim)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
        where TRows : struct, IHeadRows
        where TKeys : struct, IHeadRows
    {
        FetchedRows<T> fetchedRows = Fetch<T, TWidth, TRows>(rowStorage, rows, firstRow, slice, headDim);
        if (!TWidth.IsFull) Put<T, TWidth>(rowTile, fetchedRows);
        FetchedRows<T> fetchedKeys = Fetch<T, TWidth, TKeys>(keyStorage, keys, firstKey, slice, headDim);
        if (TWidth.IsFull) Put<T, TWidth>(rowTile, fetchedRows);
        Put<T, TWidth>(keyTile, fetchedKeys);
    }

    /// <summary>Writes it to the memory that the group shares.</summary>
    public static void Put<T, TWidth>(ArrayView<Float4> tile, FetchedRows<T> rows)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
    {
        int stride = SquareTile.Stride<TWidth>(), step = SquareTile.Lanes<TWidth>() * stride;
        int at = (SquareTile.Lane<TWidth>() * stride) + SquareTile.Column<TWidth>();
        tile[at] = Quad<T>.Load(rows.A);
        tile.SubView(step)[at] = Quad<T>.Load(rows.B);
        tile.SubView(2 * step)[at] = Quad<T>.Load(rows.C);
        tile.SubView(3 * step)[at] = Quad<T>.Load(rows.D);
    }

    /// <summary>Four elements of one row, zeros beyond its end.</summary>
    public static Quad<T> Elements<T, TWidth, TRows>(ArrayView<T> from, TRows rows, int row, int column, int headDim)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
        where TRows : struct, IHeadRows
    {
        long at = rows.At(IntrinsicMath.Min(row, rows.Count - 1));
        if (TWidth.IsFull) return from.Cast<Quad<T>>()[(at + column) / 4];
        Quad<T> elements = default;
        if (column < headDim) elements.X = from[at + column];
        if (column + 1 < headDim) elements.Y = from[at + column + 1];
        if (column + 2 < headDim) elements.Z = from[at + column + 2];
        if (column + 3 < headDim) elements.W = from[at + column + 3];
        return elements;
    }

    /// <summary>Writes four elements of one row, where they are.</summary>
    public static void Store<T, TWidth, TRows>(ArrayView<T> to, TRows rows, int row, int column, int headDim, Float4 values)
        where T : unmanaged, IStorage<T>
        where TWidth : unmanaged, IHeadWidth
        where TRows : struct, IHeadRows
    {
        if (row >= rows.Count) return;
        long at = rows.At(row) + column;
        if (TWidth.IsFull)
        {
            ArrayView<Quad<T>> quads = to.Cast<Quad<T>>();
            quads[at / 4] = Quad<T>.Store(values);
            return;
        }

        if (column < headDim) to[at] = T.Store(values.X);
        if (column + 1 < headDim) to[at + 1] = T.Store(values.Y);
        if (column + 2 < headDim) to[at + 2] = T.Store(values.Z);
        if (column + 3 < headDim) to[at + 3] = T.Store(values.W);
    }
}

/// <summary>A thread's four times four elements of a tile.</summary>
internal struct FetchedRows<T> where T : unmanaged, IStorage<T>
{
    public Quad<T> A, B, C, D;
}
