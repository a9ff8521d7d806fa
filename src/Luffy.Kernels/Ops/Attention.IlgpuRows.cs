using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary>Where rows of one head lie in a tensor.</summary>
internal interface IHeadRows
{
    /// <summary>Rows that there are.</summary>
    int Count { get; }

    /// <summary>The first element of a row.</summary>
    long At(int row);
}

/// <summary>
/// The rows of a sequence's queries that share a key-value head: for each token its group's heads, one after another. Neighbours share
/// keys, so a tile of rows takes few tokens and reaches little beyond the diagonal.
/// </summary>
internal readonly struct QueryRows(long begin, int tokens, int tokenHeads, int firstHead, int group, int headDim) : IHeadRows
{
    private readonly long _first = ((begin * tokenHeads) + firstHead) * headDim;

    public int Count => tokens * group;

    public long At(int row)
    {
        uint token = (uint)row / (uint)group, head = (uint)row - (token * (uint)group);
        return _first + ((((long)token * tokenHeads) + head) * headDim);
    }
}

/// <summary>A tile of such rows, whose heads are listed in memory that the group shares: to divide again for each tile would cost more.</summary>
internal readonly struct ListedRows(ArrayView<int> heads, int count, long begin, int tokenHeads, int firstHead, int headDim) : IHeadRows
{
    private readonly long _first = ((begin * tokenHeads) + firstHead) * headDim;

    public int Count => count;

    public long At(int row) => _first + ((long)heads[row] * headDim);

    /// <summary>Lists rows from the first of a tile, the last one over and over behind it. A barrier must follow.</summary>
    public static void List<TSide>(ArrayView<int> heads, int first, int rows, int tokenHeads, int group) where TSide : unmanaged, ITileSide
    {
        if (Group.IdxX >= TSide.Side) return;
        uint row = (uint)IntrinsicMath.Min(first + Group.IdxX, rows - 1), token = row / (uint)group;
        heads[Group.IdxX] = (int)((token * (uint)tokenHeads) + (row - (token * (uint)group)));
    }
}

/// <summary>Keys, or values, of a sequence in packed rows.</summary>
internal readonly struct PackedRows(long first, int stride, int count) : IHeadRows
{
    public int Count => count;

    public long At(int row) => first + ((long)row * stride);
}

/// <summary>Keys, or values, of a sequence in the cache: [pages][keys, values][heads][tokens of a page][D].</summary>
internal readonly struct PagedRows(ArrayView<int> table, int firstPage, int matrix, int matrices, int headDim, int count) : IHeadRows
{
    public int Count => count;

    /// <summary>From a key to its value.</summary>
    public static int ValueShift(AttentionGeometry shape) => shape.KeyValueHeads * IAttention.PageSize * shape.HeadDim;

    public long At(int row)
    {
        // Without a sign, a division by a power of two is a shift.
        long page = table[firstPage + (int)((uint)row / IAttention.PageSize)];
        return ((((page * matrices) + matrix) * IAttention.PageSize) + DeviceMath.Modulo(row, IAttention.PageSize)) * headDim;
    }
}

/// <summary>Rows that lie the same distance behind others: values behind keys.</summary>
internal readonly struct ShiftedRows<TRows>(TRows rows, int shift) : IHeadRows where TRows : struct, IHeadRows
{
    public int Count => rows.Count;

    public long At(int row) => rows.At(row) + shift;
}
