using ILGPU;

namespace Luffy.Kernels.Ilgpu.Products;

/// <summary>
/// The sums of one lane of a <see cref="TensorProduct{TWarp, TGroup}"/>: those of its warp, as fragments of 16 rows and 8 columns.
/// </summary>
internal interface IWarpTile
{
    /// <summary>Rows of the warp.</summary>
    static abstract int Rows { get; }

    /// <summary>Columns of the warp.</summary>
    static abstract int Columns { get; }

    /// <summary>Adds the products of a stage, 16 elements of depth at a time.</summary>
    /// <param name="a">The first operand's stage, two elements a word.</param>
    /// <param name="b">The other's.</param>
    /// <param name="at">This lane's first word in each.</param>
    /// <param name="depth">Elements of depth.</param>
    /// <param name="pitch">Words between lines.</param>
    void MultiplyAdd(ArrayView<uint> a, ArrayView<uint> b, PlacePair at, int depth, int pitch);

    /// <summary>Shows every sum to a visitor.</summary>
    /// <param name="visitor">The visitor.</param>
    /// <param name="row">Row of the lane's first sum.</param>
    /// <param name="column">Its column.</param>
    void Visit<TVisitor>(ref TVisitor visitor, int row, int column) where TVisitor : struct, ITileVisitor;
}

/// <summary>16×8 sums.</summary>
internal struct Warp16x8 : IWarpTile
{
    private SumFragment _sums;

    /// <inheritdoc/>
    public static int Rows => 16;

    /// <inheritdoc/>
    public static int Columns => 8;

    /// <inheritdoc/>
    public void MultiplyAdd(ArrayView<uint> a, ArrayView<uint> b, PlacePair at, int depth, int pitch)
    {
        // Two at a time: with one instruction between one read and the next, waiting for shared memory would take as long as multiplying.
        int d = 0;
        for (; d + TensorCore.Depth < depth; d += 2 * TensorCore.Depth, at += 2 * Fragments.Step)
        {
            ArrayView<uint> rows = a.SubView(at.A), columns = b.SubView(at.B);
            RowFragment firstRows = Fragments.Rows(rows, 0, pitch), nextRows = Fragments.Rows(rows, Fragments.WordsOfStep, pitch);
            ColumnFragment firstColumns = Fragments.Columns(columns, 0), nextColumns = Fragments.Columns(columns, Fragments.WordsOfStep);
            MultiplyAdd(firstRows, firstColumns);
            MultiplyAdd(nextRows, nextColumns);
        }

        if (d < depth) MultiplyAdd(Fragments.Rows(a.SubView(at.A), 0, pitch), Fragments.Columns(b.SubView(at.B), 0));
    }

    /// <summary>Adds rows · columnsᵀ.</summary>
    public void MultiplyAdd(RowFragment rows, ColumnFragment columns) =>
        _sums = TensorCore.MultiplyAdd(_sums, rows, columns);

    /// <inheritdoc/>
    public void Visit<TVisitor>(ref TVisitor visitor, int row, int column) where TVisitor : struct, ITileVisitor
    {
        visitor.Visit(row, column, ref _sums.UpperLeft, ref _sums.UpperRight);
        visitor.Visit(row + 8, column, ref _sums.LowerLeft, ref _sums.LowerRight);
    }
}

/// <summary>32×32 sums.</summary>
internal struct Warp32x32 : IWarpTile
{
    private Warp16x32 _upper, _lower;

    /// <inheritdoc/>
    public static int Rows => 32;

    /// <inheritdoc/>
    public static int Columns => 32;

    /// <inheritdoc/>
    public void MultiplyAdd(ArrayView<uint> a, ArrayView<uint> b, PlacePair at, int depth, int pitch)
    {
        for (int d = 0; d < depth; d += TensorCore.Depth, at += Fragments.Step)
        {
            ArrayView<uint> rows = a.SubView(at.A);
            FourColumnFragments columns = Fragments.FourColumns(b.SubView(at.B), pitch);
            _upper.MultiplyAdd(Fragments.Rows(rows, 0, pitch), columns);
            _lower.MultiplyAdd(Fragments.Rows(rows, 16 * pitch, pitch), columns);
        }
    }

    /// <inheritdoc/>
    public void Visit<TVisitor>(ref TVisitor visitor, int row, int column) where TVisitor : struct, ITileVisitor
    {
        _upper.Visit(ref visitor, row, column);
        _lower.Visit(ref visitor, row + 16, column);
    }
}

/// <summary>64×32 sums.</summary>
internal struct Warp64x32 : IWarpTile
{
    private Warp16x32 _r0, _r1, _r2, _r3;

    /// <inheritdoc/>
    public static int Rows => 64;

    /// <inheritdoc/>
    public static int Columns => 32;

    /// <inheritdoc/>
    public void MultiplyAdd(ArrayView<uint> a, ArrayView<uint> b, PlacePair at, int depth, int pitch)
    {
        for (int d = 0; d < depth; d += TensorCore.Depth, at += Fragments.Step)
        {
            ArrayView<uint> rows = a.SubView(at.A);
            FourColumnFragments columns = Fragments.FourColumns(b.SubView(at.B), pitch);
            _r0.MultiplyAdd(Fragments.Rows(rows, 0, pitch), columns);
            _r1.MultiplyAdd(Fragments.Rows(rows, 16 * pitch, pitch), columns);
            _r2.MultiplyAdd(Fragments.Rows(rows, 32 * pitch, pitch), columns);
            _r3.MultiplyAdd(Fragments.Rows(rows, 48 * pitch, pitch), columns);
        }
    }

    /// <inheritdoc/>
    public void Visit<TVisitor>(ref TVisitor visitor, int row, int column) where TVisitor : struct, ITileVisitor
    {
        _r0.Visit(ref visitor, row, column);
        _r1.Visit(ref visitor, row + 16, column);
        _r2.Visit(ref visitor, row + 32, column);
        _r3.Visit(ref visitor, row + 48, column);
    }
}

/// <summary>16×32 sums, of which larger tiles are made.</summary>
internal struct Warp16x32
{
    private Warp16x8 _c0, _c1, _c2, _c3;

    /// <summary>Adds rows · columnsᵀ.</summary>
    public void MultiplyAdd(RowFragment rows, FourColumnFragments columns)
    {
        _c0.MultiplyAdd(rows, columns.C0);
        _c1.MultiplyAdd(rows, columns.C1);
        _c2.MultiplyAdd(rows, columns.C2);
        _c3.MultiplyAdd(rows, columns.C3);
    }

    /// <summary>Shows every sum to a visitor.</summary>
    public void Visit<TVisitor>(ref TVisitor visitor, int row, int column) where TVisitor : struct, ITileVisitor
    {
        _c0.Visit(ref visitor, row, column);
        _c1.Visit(ref visitor, row, column + 8);
        _c2.Visit(ref visitor, row, column + 16);
        _c3.Visit(ref visitor, row, column + 24);
    }
}

/// <summary>32 columns.</summary>
internal struct FourColumnFragments
{
    /// <summary>8 columns each.</summary>
    public ColumnFragment C0, C1, C2, C3;
}

/// <summary>Fragments from shared memory.</summary>
internal static class Fragments
{
    /// <summary>Words of a line that one instruction takes.</summary>
    public const int WordsOfStep = TensorCore.Depth / 2;

    /// <summary>From the words of one instruction to those of the next.</summary>
    public static PlacePair Step => new() { A = WordsOfStep, B = WordsOfStep };

    /// <summary>16 rows, of which the lane's first word is at <paramref name="at"/>.</summary>
    public static RowFragment Rows(ArrayView<uint> lines, int at, int pitch) => new()
    {
        Upper = lines[at],
        Lower = lines[at + (8 * pitch)],
        UpperFurther = lines[at + 4],
        LowerFurther = lines[at + (8 * pitch) + 4],
    };

    /// <summary>8 columns, of which the lane's first word is at <paramref name="at"/>.</summary>
    public static ColumnFragment Columns(ArrayView<uint> lines, int at) => new() { Word = lines[at], Further = lines[at + 4] };

    /// <summary>32 columns.</summary>
    public static FourColumnFragments FourColumns(ArrayView<uint> lines, int pitch) => new()
    {
        C0 = Columns(lines, 0),
        C1 = Columns(lines, 8 * pitch),
        C2 = Columns(lines, 16 * pitch),
        C3 = Columns(lines, 24 * pitch),
    };
}
