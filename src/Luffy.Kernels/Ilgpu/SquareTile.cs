using ILGPU;

namespace Luffy.Kernels.Ilgpu;

/// <summary>How large square tiles are, known when a kernel is compiled.</summary>
internal interface ITileSide
{
    /// <summary>Rows and columns: a multiple of 16, at most <see cref="SquareTile.LargestSide"/>.</summary>
    static abstract int Side { get; }
}

/// <summary>
/// A thread's 4 × 4 of the square of sums that a group keeps in registers, a sixteenth as many threads as sums, and the products that add to
/// them. Operands lie in shared memory as rows of <see cref="Stride{TSide}"/> <see cref="Float4"/>, one more than their numbers take, so that
/// threads read different banks. Each sum is one chain of fused multiply-adds in ascending order; zeros beyond an operand's end do not change a
/// bit of it.
/// <para>
/// Places that differ by a constant are written as views that begin there: then the constant goes into the instruction, and one register
/// serves all of them.
/// </para>
/// <para>
/// With L = <see cref="Lanes{TSide}"/>, thread i has rows 4·(i / L) … + 3, which are A … D. Of the columns it has either i mod L in steps of L
/// (<see cref="AddDots"/>, whose operands are both rows) or 4·(i mod L) … + 3 (the others).
/// </para>
/// </summary>
internal struct SquareTile
{
    /// <summary>The largest side.</summary>
    public const int LargestSide = 64;

    /// <summary><see cref="Float4"/> of an operand, at most.</summary>
    public const int Length = LargestSide * ((LargestSide / 4) + 1);

    /// <summary>Threads of a group, at most.</summary>
    public const int MostThreads = LargestSide * LargestSide / 16;

    public Float4 A, B, C, D;

    /// <summary>Threads of a group.</summary>
    public static int Threads<TSide>() where TSide : unmanaged, ITileSide => TSide.Side * TSide.Side / 16;

    /// <summary>Threads that share rows, and <see cref="Float4"/> of a row.</summary>
    public static int Lanes<TSide>() where TSide : unmanaged, ITileSide => TSide.Side / 4;

    /// <summary><see cref="Float4"/> from one row of an operand to the next.</summary>
    public static int Stride<TSide>() where TSide : unmanaged, ITileSide => (TSide.Side / 4) + 1;

    /// <summary>The first of this thread's four rows.</summary>
    public static int Row<TSide>() where TSide : unmanaged, ITileSide => Lane<TSide>() * 4;

    /// <summary>This thread's place among those that have the same columns.</summary>
    public static int Lane<TSide>() where TSide : unmanaged, ITileSide => (int)((uint)Group.IdxX / (uint)Lanes<TSide>());

    /// <summary>This thread's place among those that share its rows.</summary>
    public static int Column<TSide>() where TSide : unmanaged, ITileSide => DeviceMath.Modulo(Group.IdxX, Lanes<TSide>());

    /// <summary>sums[i][j] += Σ_k a[i][k] · b[j][k] over the first 4·<paramref name="quads"/> elements of the rows.</summary>
    public static SquareTile AddDots<TSide>(SquareTile sums, ArrayView<Float4> a, ArrayView<Float4> b, int quads) where TSide : unmanaged, ITileSide
    {
        int stride = Stride<TSide>(), lanes = Lanes<TSide>();
        ArrayView<Float4> a1 = a.SubView(stride), a2 = a.SubView(2 * stride), a3 = a.SubView(3 * stride);
        ArrayView<Float4> b1 = b.SubView(lanes * stride), b2 = b.SubView(2 * lanes * stride), b3 = b.SubView(3 * lanes * stride);
        for (int k = 0, row = Row<TSide>() * stride, column = Column<TSide>() * stride; k < quads; k++, row++, column++)
        {
            Float4 c0 = b[column], c1 = b1[column], c2 = b2[column], c3 = b3[column];
            sums.A = Dots(sums.A, a[row], c0, c1, c2, c3);
            sums.B = Dots(sums.B, a1[row], c0, c1, c2, c3);
            sums.C = Dots(sums.C, a2[row], c0, c1, c2, c3);
            sums.D = Dots(sums.D, a3[row], c0, c1, c2, c3);
        }

        return sums;
    }

    /// <summary>sums[i][j] += Σ_k a[i][k] · b[k][j] over all of k.</summary>
    public static SquareTile AddProduct<TSide>(SquareTile sums, ArrayView<Float4> a, ArrayView<Float4> b) where TSide : unmanaged, ITileSide
    {
        int stride = Stride<TSide>();
        ArrayView<Float4> a1 = a.SubView(stride), a2 = a.SubView(2 * stride), a3 = a.SubView(3 * stride);
        ArrayView<Float4> b1 = b.SubView(stride), b2 = b.SubView(2 * stride), b3 = b.SubView(3 * stride);
        for (int k = 0, row = Row<TSide>() * stride, at = Column<TSide>(); k < TSide.Side / 4; k++, row++, at += 4 * stride)
        {
            Float4 r0 = b[at], r1 = b1[at], r2 = b2[at], r3 = b3[at];
            sums.A = Rows(sums.A, a[row], r0, r1, r2, r3);
            sums.B = Rows(sums.B, a1[row], r0, r1, r2, r3);
            sums.C = Rows(sums.C, a2[row], r0, r1, r2, r3);
            sums.D = Rows(sums.D, a3[row], r0, r1, r2, r3);
        }

        return sums;
    }

    /// <summary>sums[i][j] += Σ_k a[k][i] · b[k][j] over all of k.</summary>
    public static SquareTile AddTransposedProduct<TSide>(SquareTile sums, ArrayView<Float4> a, ArrayView<Float4> b) where TSide : unmanaged, ITileSide
    {
        int stride = Stride<TSide>();
        ArrayView<Float4> a1 = a.SubView(stride), a2 = a.SubView(2 * stride), a3 = a.SubView(3 * stride);
        ArrayView<Float4> b1 = b.SubView(stride), b2 = b.SubView(2 * stride), b3 = b.SubView(3 * stride);
        for (int k = 0, row = Lane<TSide>(), column = Column<TSide>(); k < TSide.Side / 4; k++, row += 4 * stride, column += 4 * stride)
        {
            sums = AddOuter(sums, a[row], b[column]);
            sums = AddOuter(sums, a1[row], b1[column]);
            sums = AddOuter(sums, a2[row], b2[column]);
            sums = AddOuter(sums, a3[row], b3[column]);
        }

        return sums;
    }

    /// <summary>Writes the sums of <see cref="AddDots"/> as an operand.</summary>
    public static void Store<TSide>(ArrayView<Float4> operand, SquareTile sums) where TSide : unmanaged, ITileSide
    {
        ArrayView<float> elements = operand.Cast<float>();
        int stride = 4 * Stride<TSide>(), at = (Row<TSide>() * stride) + Column<TSide>();
        StoreRow<TSide>(elements, at, sums.A);
        StoreRow<TSide>(elements.SubView(stride), at, sums.B);
        StoreRow<TSide>(elements.SubView(2 * stride), at, sums.C);
        StoreRow<TSide>(elements.SubView(3 * stride), at, sums.D);
    }

    /// <summary>Each row times its own factor.</summary>
    public static SquareTile ScaleRows<TSide>(SquareTile tile, ArrayView<float> factors) where TSide : unmanaged, ITileSide
    {
        int row = Row<TSide>();
        tile.A = Float4.Scale(tile.A, factors[row]);
        tile.B = Float4.Scale(tile.B, factors[row + 1]);
        tile.C = Float4.Scale(tile.C, factors[row + 2]);
        tile.D = Float4.Scale(tile.D, factors[row + 3]);
        return tile;
    }

    /// <summary>total + added, each row of it times its own factor.</summary>
    public static SquareTile AddScaledRows<TSide>(SquareTile total, SquareTile added, ArrayView<float> factors) where TSide : unmanaged, ITileSide
    {
        int row = Row<TSide>();
        total.A = Float4.AddScaled(total.A, factors[row], added.A);
        total.B = Float4.AddScaled(total.B, factors[row + 1], added.B);
        total.C = Float4.AddScaled(total.C, factors[row + 2], added.C);
        total.D = Float4.AddScaled(total.D, factors[row + 3], added.D);
        return total;
    }

    /// <summary>All of it times one factor.</summary>
    public static SquareTile Scale(SquareTile tile, float factor)
    {
        tile.A = Float4.Scale(tile.A, factor);
        tile.B = Float4.Scale(tile.B, factor);
        tile.C = Float4.Scale(tile.C, factor);
        tile.D = Float4.Scale(tile.D, factor);
        return tile;
    }

    private static void StoreRow<TSide>(ArrayView<float> elements, int at, Float4 row) where TSide : unmanaged, ITileSide
    {
        elements[at] = row.X;
        elements.SubView(Lanes<TSide>())[at] = row.Y;
        elements.SubView(2 * Lanes<TSide>())[at] = row.Z;
        elements.SubView(3 * Lanes<TSide>())[at] = row.W;
    }

    private static SquareTile AddOuter(SquareTile sums, Float4 rows, Float4 columns)
    {
        sums.A = Float4.AddScaled(sums.A, rows.X, columns);
        sums.B = Float4.AddScaled(sums.B, rows.Y, columns);
        sums.C = Float4.AddScaled(sums.C, rows.Z, columns);
        sums.D = Float4.AddScaled(sums.D, rows.W, columns);
        return sums;
    }

    private static Float4 Dots(Float4 sums, Float4 a, Float4 b0, Float4 b1, Float4 b2, Float4 b3)
    {
        sums.X = Float4.Chain(a, b0, sums.X);
        sums.Y = Float4.Chain(a, b1, sums.Y);
        sums.Z = Float4.Chain(a, b2, sums.Z);
        sums.W = Float4.Chain(a, b3, sums.W);
        return sums;
    }

    private static Float4 Rows(Float4 sums, Float4 a, Float4 b0, Float4 b1, Float4 b2, Float4 b3)
    {
        sums = Float4.AddScaled(sums, a.X, b0);
        sums = Float4.AddScaled(sums, a.Y, b1);
        sums = Float4.AddScaled(sums, a.Z, b2);
        return Float4.AddScaled(sums, a.W, b3);
    }
}
