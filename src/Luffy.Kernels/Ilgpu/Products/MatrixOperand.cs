using ILGPU;

namespace Luffy.Kernels.Ilgpu.Products;

/// <summary>
/// Which dimension of a stored matrix a product sums over. The other one's elements are the operand's lines: rows of the result for the first
/// operand, columns for the second.
/// </summary>
internal interface ISummation
{
    /// <summary>True where a line is a row of the matrix, and its elements follow one another in memory.</summary>
    static abstract bool OverColumns { get; }
}

/// <summary>The matrix is [lines, depth], as x and W are in y = x·Wᵀ.</summary>
internal readonly struct SumOverColumns : ISummation
{
    /// <inheritdoc/>
    public static bool OverColumns => true;
}

/// <summary>The matrix is [depth, lines], as W is in dx = dy·W.</summary>
internal readonly struct SumOverRows : ISummation
{
    /// <inheritdoc/>
    public static bool OverColumns => false;
}

/// <summary>A matrix that a kernel reads in portions of 128 bits, or of four elements; what lies outside is zero.</summary>
/// <typeparam name="T">Its storage.</typeparam>
internal readonly struct MatrixOperand<T> where T : unmanaged, IStorage<T>
{
    private readonly ArrayView<T> _values;
    private readonly int _rows;
    private readonly int _width;
    private readonly bool _aligned;

    /// <summary>A matrix [<paramref name="rows"/>, <paramref name="width"/>].</summary>
    /// <param name="values">Its elements.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="width">Elements of a row.</param>
    /// <param name="aligned">Whether every row begins at a multiple of 16 bytes, as <see cref="IlgpuContext.HasAlignedRows"/> tells.</param>
    public MatrixOperand(ArrayView<T> values, int rows, int width, bool aligned) => (_values, _rows, _width, _aligned) = (values, rows, width, aligned);

    /// <summary>Elements <paramref name="column"/> … <paramref name="column"/> + 3 of a row as f32; the column is a multiple of 4.</summary>
    public Words4 LoadFour(int row, int column)
    {
        Words4 four = default;
        if (row >= _rows || column >= _width) return four;
        long at = ((long)row * _width) + column;
        if (_aligned) return T.DType == DType.F32 ? _values.Cast<Words4>()[at >> 2] : Expand(_values.Cast<Words2>()[at >> 2]);
        four.A = Bits(at);
        if (column + 1 < _width) four.B = Bits(at + 1);
        if (column + 2 < _width) four.C = Bits(at + 2);
        if (column + 3 < _width) four.D = Bits(at + 3);
        return four;
    }

    /// <summary>Elements <paramref name="column"/> … <paramref name="column"/> + 7 of a row of bf16 storage; the column is a multiple of 8.</summary>
    public Words4 LoadEight(int row, int column)
    {
        Words4 eight = default;
        if (row >= _rows || column >= _width) return eight;
        long at = ((long)row * _width) + column;
        if (_aligned) return _values.Cast<Words4>()[at >> 3];
        eight.A = Two(at, column);
        eight.B = Two(at + 2, column + 2);
        eight.C = Two(at + 4, column + 4);
        eight.D = Two(at + 6, column + 6);
        return eight;
    }

    private static Words4 Expand(Words2 two) => new() { A = two.A << 16, B = two.A & 0xFFFF0000u, C = two.B << 16, D = two.B & 0xFFFF0000u };

    private uint Two(long at, int column)
    {
        uint word = 0;
        if (column < _width) word = Bits(at) >> 16;
        if (column + 1 < _width) word |= Bits(at + 1);
        return word;
    }

    private uint Bits(long at) => Interop.FloatAsInt(T.Load(_values[at]));
}
