namespace Luffy.Engine.Checkpoint.Gguf;

/// <summary>Fills <paramref name="values"/> with whole rows of a tensor, from row <paramref name="first"/> on.</summary>
internal delegate void GgufRows(long first, Span<float> values);

/// <summary>A tensor to write. Its data are asked for, some rows at a time, when their turn comes.</summary>
/// <param name="Name">GGUF's name, such as <c>blk.0.attn_q.weight</c>.</param>
/// <param name="Type">How it is stored.</param>
/// <param name="Shape">Dimensions, outermost first: one or two.</param>
/// <param name="RowsTogether">Rows are asked for in multiples of this.</param>
/// <param name="Read">Supplies the rows; a vector is one row.</param>
internal sealed record GgufTensor(string Name, GgufTensorType Type, IReadOnlyList<long> Shape, int RowsTogether, GgufRows Read)
{
    /// <summary>Elements of a row.</summary>
    public int RowLength => checked((int)Shape[^1]);

    /// <summary>Rows; 1 for a vector.</summary>
    public long Rows => Shape.Count == 1 ? 1 : Shape[0];

    /// <summary>Bytes in the file, without what aligns the next tensor.</summary>
    public long Bytes => Type.Bytes(Rows * RowLength);
}
