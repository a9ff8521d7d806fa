namespace Luffy.Kernels;

/// <summary>
/// A block of memory of one backend, 64-byte aligned and zeroed when allocated. Tensors are views into it; it must outlive them.
/// </summary>
public abstract class DeviceBuffer(string name, long bytes) : IDisposable
{
    /// <summary>What it is for, as memory reports print it.</summary>
    public string Name { get; } = name;

    /// <summary>Size in bytes.</summary>
    public long Bytes { get; } = bytes;

    /// <summary>Where it starts, in the address space of its device.</summary>
    internal abstract nint Address { get; }

    /// <summary>A view at a byte offset. Unused trailing dimensions are 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The view does not lie within the buffer, or is not aligned to its element.</exception>
    public Tensor View(long byteOffset, DType dtype, long d0, long d1 = 1, long d2 = 1, long d3 = 1) =>
        new(this, byteOffset, dtype, d0, d1, d2, d3);

    /// <summary>A view of the whole buffer as one vector.</summary>
    public Tensor View(DType dtype) => View(0, dtype, Bytes / dtype.Size());

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases the memory.</summary>
    protected abstract void Dispose(bool disposing);
}
