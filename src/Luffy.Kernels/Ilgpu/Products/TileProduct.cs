using ILGPU;

namespace Luffy.Kernels.Ilgpu.Products;

/// <summary>
/// Tiles of matrix products for kernels: what <see cref="ILinear"/> and <see cref="IPolicyLoss"/> share, so that both have the same bits.
/// <code>
/// ArrayView&lt;Words4&gt; shared = TileProduct.Allocate&lt;TTile, TStorage&gt;();
/// TTile tile = default;
/// TileProduct.Accumulate&lt;TTile, TStorage, SumOverColumns, SumOverColumns&gt;(ref tile, x, firstRow, weight, firstColumn, depth, shared);
/// tile.Visit(ref visitor);
/// </code>
/// </summary>
internal static class TileProduct
{
    /// <summary>What a product needs of shared memory, in 128 bits.</summary>
    public static int Words<TTile, TStorage>()
        where TTile : struct, ITileProduct<TStorage>
        where TStorage : unmanaged, IStorage<TStorage> => 2 * (TTile.StageWords(TTile.Rows) + TTile.StageWords(TTile.Columns));

    /// <summary>Shared memory for any number of products, one after another.</summary>
    public static ArrayView<Words4> Allocate<TTile, TStorage>()
        where TTile : struct, ITileProduct<TStorage>
        where TStorage : unmanaged, IStorage<TStorage> =>
        SharedMemory.Allocate<Words4>(Words<TTile, TStorage>());

    /// <summary>
    /// tile[i, j] += Σ_d a(i, d) · b(j, d) over ascending d &lt; <paramref name="depth"/>. While a stage is multiplied the next one is on its way
    /// from memory. Every thread of the group must call it; afterwards the shared memory may be used again at once.
    /// </summary>
    /// <param name="tile">This thread's sums.</param>
    /// <param name="a">The operand whose lines are rows of the tile.</param>
    /// <param name="firstRow">Its line that is the tile's first row.</param>
    /// <param name="b">The operand whose lines are columns of the tile.</param>
    /// <param name="firstColumn">Its line that is the tile's first column.</param>
    /// <param name="depth">Terms of a sum.</param>
    /// <param name="shared">What <see cref="Allocate"/> gave.</param>
    public static void Accumulate<TTile, TStorage, TSumA, TSumB>(ref TTile tile, MatrixOperand<TStorage> a, int firstRow, MatrixOperand<TStorage> b,
        int firstColumn, int depth, ArrayView<Words4> shared)
        where TTile : struct, ITileProduct<TStorage>
        where TStorage : unmanaged, IStorage<TStorage>
        where TSumA : struct, ISummation
        where TSumB : struct, ISummation
    {
        if (depth == 0) return;
        int ofA = TTile.StageWords(TTile.Rows), ofB = TTile.StageWords(TTile.Columns), ofBoth = ofA + ofB, current = 0;
        WordsPair wordsA = Fetch<TTile, TStorage, TSumA>(a, TTile.Rows, firstRow, 0), wordsB = Fetch<TTile, TStorage, TSumB>(b, TTile.Columns, firstColumn, 0);
        Put<TTile, TStorage, TSumA>(shared, TTile.Rows, wordsA);
        Put<TTile, TStorage, TSumB>(shared.SubView(ofA), TTile.Columns, wordsB);
        Rest<TTile, TStorage, TSumA>(shared, a, TTile.Rows, firstRow, 0);
        Rest<TTile, TStorage, TSumB>(shared.SubView(ofA), b, TTile.Columns, firstColumn, 0);
        Group.Barrier();
        for (int start = 0; start < depth; start += TTile.Depth)
        {
            int next = start + TTile.Depth;
            if (next < depth)
            {
                wordsA = Fetch<TTile, TStorage, TSumA>(a, TTile.Rows, firstRow, next);
                wordsB = Fetch<TTile, TStorage, TSumB>(b, TTile.Columns, firstColumn, next);
            }

            tile.MultiplyAdd(shared.SubView(current), shared.SubView(current + ofA), IntrinsicMath.Min(TTile.Depth, depth - start));
            current = ofBoth - current;
            if (next < depth)
            {
                Put<TTile, TStorage, TSumA>(shared.SubView(current), TTile.Rows, wordsA);
                Put<TTile, TStorage, TSumB>(shared.SubView(current + ofA), TTile.Columns, wordsB);
                Rest<TTile, TStorage, TSumA>(shared.SubView(current), a, TTile.Rows, firstRow, next);
                Rest<TTile, TStorage, TSumB>(shared.SubView(current + ofA), b, TTile.Columns, firstColumn, next);
            }

            Group.Barrier();
        }
    }

    // The first portion of each thread waits in registers while the stage before is multiplied.
    private static WordsPair Fetch<TTile, TStorage, TSum>(MatrixOperand<TStorage> operand, int lines, int firstLine, int firstDepth)
        where TTile : struct, ITileProduct<TStorage>
        where TStorage : unmanaged, IStorage<TStorage>
        where TSum : struct, ISummation
    {
        WordsPair words = default;
        if (TTile.Portions(lines) >= TTile.Threads || Group.IdxX < TTile.Portions(lines))
            words = TTile.Fetch<TSum>(operand, lines, firstLine, firstDepth, Group.IdxX);
        return words;
    }

    private static void Put<TTile, TStorage, TSum>(ArrayView<Words4> stage, int lines, WordsPair words)
        where TTile : struct, ITileProduct<TStorage>
        where TStorage : unmanaged, IStorage<TStorage>
        where TSum : struct, ISummation
    {
        if (TTile.Portions(lines) >= TTile.Threads || Group.IdxX < TTile.Portions(lines)) TTile.Put<TSum>(stage, lines, Group.IdxX, words);
    }

    // Where a group is so small that a thread has several portions, as on the emulator, the others do not wait.
    private static void Rest<TTile, TStorage, TSum>(ArrayView<Words4> stage, MatrixOperand<TStorage> operand, int lines, int firstLine, int firstDepth)
        where TTile : struct, ITileProduct<TStorage>
        where TStorage : unmanaged, IStorage<TStorage>
        where TSum : struct, ISummation
    {
        if (TTile.Portions(lines) <= TTile.Threads) return;
        for (int portion = Group.IdxX + TTile.Threads; portion < TTile.Portions(lines); portion += TTile.Threads)
            TTile.Put<TSum>(stage, lines, portion, TTile.Fetch<TSum>(operand, lines, firstLine, firstDepth, portion));
    }
}
