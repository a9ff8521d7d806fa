using ILGPU;

namespace Luffy.Kernels.Ilgpu.Products;

/// <summary>
/// The sums of one thread of a <see cref="PlainProduct{TStorage, TThread, TGroup}"/>. Fields and not an array, because only fields are registers.
/// </summary>
internal interface IThreadTile
{
    /// <summary>Rows of a thread.</summary>
    static abstract int Rows { get; }

    /// <summary>Columns of a thread.</summary>
    static abstract int Columns { get; }

    /// <summary>Lines of an operand that are read at once.</summary>
    static abstract int LinesAtOnce { get; }

    /// <summary>Adds the products of one element of depth.</summary>
    /// <param name="a">The operand's stage.</param>
    /// <param name="b">The other's stage.</param>
    /// <param name="at">Where this thread's first lines are in each, counted in <see cref="LinesAtOnce"/>.</param>
    /// <param name="further">So many more, a constant: an address with it takes no instruction.</param>
    /// <param name="place">Where the thread stands.</param>
    void MultiplyAdd(ArrayView<Words4> a, ArrayView<Words4> b, PlacePair at, PlacePair further, ThreadPlace place);

    /// <summary>Shows every sum to a visitor.</summary>
    void Visit<TVisitor>(ref TVisitor visitor, ThreadPlace place) where TVisitor : struct, ITileVisitor;
}

/// <summary>A thread's place among those of its group.</summary>
internal struct ThreadPlace
{
    /// <summary>Its place, and the number of places, in each direction.</summary>
    public int Row, Column, Down, Across;
}

/// <summary>A place in the stage of each operand.</summary>
internal struct PlacePair
{
    /// <summary>In the first.</summary>
    public int A;

    /// <summary>In the second.</summary>
    public int B;

    /// <summary>Both, so many times.</summary>
    public static PlacePair operator *(int times, PlacePair place) => new() { A = times * place.A, B = times * place.B };

    /// <summary>Both further.</summary>
    public static PlacePair operator +(PlacePair place, PlacePair further) => new() { A = place.A + further.A, B = place.B + further.B };
}

/// <summary>2×2 sums.</summary>
internal struct Thread2x2 : IThreadTile
{
    private Float2 _r0, _r1;

    /// <inheritdoc/>
    public static int Rows => 2;

    /// <inheritdoc/>
    public static int Columns => 2;

    /// <inheritdoc/>
    public static int LinesAtOnce => 2;

    /// <inheritdoc/>
    public void MultiplyAdd(ArrayView<Words4> a, ArrayView<Words4> b, PlacePair at, PlacePair further, ThreadPlace place)
    {
        Float2 rows = a.Cast<Float2>().SubView(at.A)[further.A], columns = b.Cast<Float2>().SubView(at.B)[further.B];
        _r0.MultiplyAdd(rows.A, columns);
        _r1.MultiplyAdd(rows.B, columns);
    }

    /// <inheritdoc/>
    public void Visit<TVisitor>(ref TVisitor visitor, ThreadPlace place) where TVisitor : struct, ITileVisitor
    {
        visitor.Visit(2 * place.Row, 2 * place.Column, ref _r0.A, ref _r0.B);
        visitor.Visit((2 * place.Row) + 1, 2 * place.Column, ref _r1.A, ref _r1.B);
    }
}

/// <summary>4×4 sums.</summary>
internal struct Thread4x4 : IThreadTile
{
    private Float4 _r0, _r1, _r2, _r3;

    /// <inheritdoc/>
    public static int Rows => 4;

    /// <inheritdoc/>
    public static int Columns => 4;

    /// <inheritdoc/>
    public static int LinesAtOnce => 4;

    /// <inheritdoc/>
    public void MultiplyAdd(ArrayView<Words4> a, ArrayView<Words4> b, PlacePair at, PlacePair further, ThreadPlace place) =>
        MultiplyAdd(a.Cast<Float4>().SubView(at.A)[further.A], b.Cast<Float4>().SubView(at.B)[further.B]);

    /// <summary>Adds rows · columnsᵀ.</summary>
    public void MultiplyAdd(Float4 rows, Float4 columns)
    {
        _r0.MultiplyAdd(rows.X, columns);
        _r1.MultiplyAdd(rows.Y, columns);
        _r2.MultiplyAdd(rows.Z, columns);
        _r3.MultiplyAdd(rows.W, columns);
    }

    /// <inheritdoc/>
    public void Visit<TVisitor>(ref TVisitor visitor, ThreadPlace place) where TVisitor : struct, ITileVisitor =>
        Visit(ref visitor, 4 * place.Row, 4 * place.Column);

    /// <summary>Shows every sum to a visitor, the first as that of <paramref name="row"/> and <paramref name="column"/>.</summary>
    public void Visit<TVisitor>(ref TVisitor visitor, int row, int column) where TVisitor : struct, ITileVisitor
    {
        visitor.Visit(row, column, ref _r0.X, ref _r0.Y);
        visitor.Visit(row, column + 2, ref _r0.Z, ref _r0.W);
        visitor.Visit(row + 1, column, ref _r1.X, ref _r1.Y);
        visitor.Visit(row + 1, column + 2, ref _r1.Z, ref _r1.W);
        visitor.Visit(row + 2, column, ref _r2.X, ref _r2.Y);
        visitor.Visit(row + 2, column + 2, ref _r2.Z, ref _r2.W);
        visitor.Visit(row + 3, column, ref _r3.X, ref _r3.Y);
        visitor.Visit(row + 3, column + 2, ref _r3.Z, ref _r3.W);
    }
}

/// <summary>
/// 8×8 sums, as four blocks half a tile apart: so the threads of a warp read neighbouring words of shared memory, each bank once.
/// </summary>
internal struct Thread8x8 : IThreadTile
{
    private Thread4x4 _upperLeft, _upperRight, _lowerLeft, _lowerRight;

    /// <inheritdoc/>
    public static int Rows => 8;

    /// <inheritdoc/>
    public static int Columns => 8;

    /// <inheritdoc/>
    public static int LinesAtOnce => 4;

    /// <inheritdoc/>
    public void MultiplyAdd(ArrayView<Words4> a, ArrayView<Words4> b, PlacePair at, PlacePair further, ThreadPlace place)
    {
        ArrayView<Float4> rows = a.Cast<Float4>().SubView(at.A), columns = b.Cast<Float4>().SubView(at.B);
        Float4 upper = rows[further.A], lower = rows[further.A + place.Down], left = columns[further.B], right = columns[further.B + place.Across];
        _upperLeft.MultiplyAdd(upper, left);
        _upperRight.MultiplyAdd(upper, right);
        _lowerLeft.MultiplyAdd(lower, left);
        _lowerRight.MultiplyAdd(lower, right);
    }

    /// <inheritdoc/>
    public void Visit<TVisitor>(ref TVisitor visitor, ThreadPlace place) where TVisitor : struct, ITileVisitor
    {
        int upper = 4 * place.Row, lower = upper + (4 * place.Down), left = 4 * place.Column, right = left + (4 * place.Across);
        _upperLeft.Visit(ref visitor, upper, left);
        _upperRight.Visit(ref visitor, upper, right);
        _lowerLeft.Visit(ref visitor, lower, left);
        _lowerRight.Visit(ref visitor, lower, right);
    }
}
