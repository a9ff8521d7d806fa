using System.Runtime.CompilerServices;

namespace Luffy.Kernels;

/// <summary>
/// A dense row-major view of a <see cref="DeviceBuffer"/>: up to four dimensions, dtype and place. A value without allocation;
/// the default value stands for "none" where an argument is optional.
/// </summary>
public readonly struct Tensor
{
    private readonly DeviceBuffer? _buffer;

    internal Tensor(DeviceBuffer buffer, long byteOffset, DType dtype, long d0, long d1, long d2, long d3)
    {
        if (d0 < 0 || d1 < 0 || d2 < 0 || d3 < 0)
            throw new ArgumentOutOfRangeException(nameof(d0), $"negative dimension in [{d0}, {d1}, {d2}, {d3}]");
        long bytes = checked(d0 * d1 * d2 * d3 * dtype.Size());
        if (byteOffset < 0 || byteOffset + bytes > buffer.Bytes || byteOffset % dtype.Size() != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(byteOffset),
                $"view of {bytes} bytes at {byteOffset} does not lie within '{buffer.Name}' of {buffer.Bytes} bytes");
        }

        _buffer = buffer;
        ByteOffset = byteOffset;
        DType = dtype;
        (D0, D1, D2, D3) = (d0, d1, d2, d3);
    }

    /// <summary>False for the default value, which stands for an absent optional tensor.</summary>
    public bool Exists => _buffer is not null;

    /// <summary>The memory that this is a view of.</summary>
    public DeviceBuffer Buffer => _buffer ?? throw new InvalidOperationException("the tensor is absent");

    /// <summary>Where the view starts within <see cref="Buffer"/>.</summary>
    public long ByteOffset { get; }

    /// <summary>Element type.</summary>
    public DType DType { get; }

    /// <summary>First dimension, the slowest.</summary>
    public long D0 { get; }

    /// <summary>Second dimension.</summary>
    public long D1 { get; }

    /// <summary>Third dimension.</summary>
    public long D2 { get; }

    /// <summary>Fourth dimension, the fastest where all four are used.</summary>
    public long D3 { get; }

    /// <summary>Number of elements.</summary>
    public long Length => D0 * D1 * D2 * D3;

    /// <summary>Number of bytes.</summary>
    public long Bytes => Length * DType.Size();

    /// <summary>Elements of one row: everything but the first dimension.</summary>
    public long RowLength => D1 * D2 * D3;

    internal nint Address => _buffer is null ? 0 : _buffer.Address + (nint)ByteOffset;

    /// <summary>Rows <paramref name="start"/> … <paramref name="start"/> + <paramref name="count"/> − 1 of the first dimension.</summary>
    public Tensor Rows(long start, long count)
    {
        if (start < 0 || count < 0 || start + count > D0)
            throw new ArgumentOutOfRangeException(nameof(start), $"rows {start}..{start + count} of {this}");
        return new Tensor(Buffer, ByteOffset + (start * RowLength * DType.Size()), DType, count, D1, D2, D3);
    }

    /// <summary>The same elements under other dimensions.</summary>
    public Tensor Reshape(long d0, long d1 = 1, long d2 = 1, long d3 = 1)
    {
        if (d0 * d1 * d2 * d3 != Length)
            throw new ArgumentException($"{this} has not {d0}·{d1}·{d2}·{d3} elements", nameof(d0));
        return new Tensor(Buffer, ByteOffset, DType, d0, d1, d2, d3);
    }

    /// <summary>Host memory as a span. Only for tensors of host backends.</summary>
    /// <exception cref="InvalidOperationException">The tensor lives on a device, or its element is not a <typeparamref name="T"/>.</exception>
    internal unsafe Span<T> AsSpan<T>() where T : unmanaged
    {
        if (_buffer is null) return default;
        if (_buffer is not HostBuffer || Unsafe.SizeOf<T>() != DType.Size())
            throw new InvalidOperationException($"{this} is not host memory of {typeof(T).Name}");
        return new Span<T>((void*)Address, checked((int)Length));
    }

    /// <inheritdoc/>
    public override string ToString() =>
        !Exists ? "none" : $"{DType.Name()}[{string.Join(", ", Dimensions())}]";

    private IEnumerable<long> Dimensions()
    {
        yield return D0;
        if (D1 != 1 || D2 != 1 || D3 != 1) yield return D1;
        if (D2 != 1 || D3 != 1) yield return D2;
        if (D3 != 1) yield return D3;
    }
}
