namespace Luffy.Engine.Checkpoint;

/// <summary>
/// Returns a tensor's elements from <paramref name="start"/> on at the moment they are written: all that are left, or as many as are held at
/// once. They may be overwritten by the next call.
/// </summary>
public delegate ReadOnlySpan<float> TensorFloats(long start);

/// <summary>Returns a tensor's stored bytes (little-endian) at the moment they are written.</summary>
public delegate ReadOnlySpan<byte> TensorBytes();

/// <summary>A tensor to write: its name, type and shape are known ahead of its data, which are asked for when their turn comes.</summary>
public sealed class TensorSource
{
    private readonly TensorFloats? _floats;
    private readonly TensorBytes? _bytes;

    private TensorSource(string name, SafeTensorsDType dtype, IReadOnlyList<long> shape, TensorFloats? floats, TensorBytes? bytes)
    {
        Name = name;
        DType = dtype;
        Shape = shape;
        _floats = floats;
        _bytes = bytes;
    }

    /// <summary>The checkpoint's name of the tensor.</summary>
    public string Name { get; }

    /// <summary>Element type in the file.</summary>
    public SafeTensorsDType DType { get; }

    /// <summary>Dimensions, outermost first, row-major.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>Length in the file, in bytes.</summary>
    public long ByteLength => SafeTensor.CountElements(Shape) * DType.Size();

    /// <summary>f32 values, stored as F32 or rounded to nearest even into BF16 or F16.</summary>
    public static TensorSource FromFloats(string name, IReadOnlyList<long> shape, SafeTensorsDType dtype, TensorFloats data)
    {
        if (!dtype.IsWeight()) throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "floats are stored as F32, BF16 or F16");
        return new TensorSource(name, dtype, shape, data, null);
    }

    /// <summary>f32 values held in an array.</summary>
    public static TensorSource FromFloats(string name, IReadOnlyList<long> shape, SafeTensorsDType dtype, ReadOnlyMemory<float> data) =>
        FromFloats(name, shape, dtype, start => data.Span[(int)start..]);

    /// <summary>Values that are stored as they are, for example bf16 weights that never were f32.</summary>
    public static TensorSource FromBytes(string name, IReadOnlyList<long> shape, SafeTensorsDType dtype, TensorBytes data) =>
        new(name, dtype, shape, null, data);

    internal void WriteTo(SafeTensorsWriter writer)
    {
        if (_floats is null)
        {
            writer.WriteRaw(Name, _bytes!());
            return;
        }

        long elements = SafeTensor.CountElements(Shape);
        for (long start = 0; start < elements;)
        {
            ReadOnlySpan<float> some = _floats(start);
            // A source that has no more leaves the tensor short, which the writer refuses at the end.
            if (some.IsEmpty) return;
            writer.Write(Name, some);
            start += some.Length;
        }
    }
}
