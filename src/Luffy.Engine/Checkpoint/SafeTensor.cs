namespace Luffy.Engine.Checkpoint;

/// <summary>One tensor as a safetensors header describes it.</summary>
/// <param name="Name">The checkpoint's own name, such as <c>model.layers.0.self_attn.q_proj.weight</c>.</param>
/// <param name="DType">Element type in the file.</param>
/// <param name="Shape">Dimensions, outermost first, row-major. Empty for a scalar.</param>
/// <param name="FileOffset">Byte offset of the first element from the start of the file.</param>
/// <param name="ByteLength">Length of the data in bytes.</param>
public sealed record SafeTensor(string Name, SafeTensorsDType DType, IReadOnlyList<long> Shape, long FileOffset, long ByteLength)
{
    /// <summary>Number of elements.</summary>
    public long ElementCount => ByteLength / DType.Size();

    /// <summary>The shape for messages: <c>[64, 32]</c>.</summary>
    public string ShapeText => FormatShape(Shape);

    internal static string FormatShape(IEnumerable<long> shape) => "[" + string.Join(", ", shape) + "]";

    /// <summary>Elements of a shape; throws <see cref="OverflowException"/> where they do not fit 63 bits.</summary>
    internal static long CountElements(IReadOnlyList<long> shape)
    {
        long count = 1;
        bool empty = false;
        foreach (long dimension in shape)
        {
            if (dimension == 0) empty = true;
            else count = checked(count * dimension);
        }
        return empty ? 0 : count;
    }
}
