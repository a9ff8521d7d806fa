using System.Runtime.InteropServices;

namespace Luffy.Kernels;

/// <summary>Memory of the host, for the reference and the native CPU backend.</summary>
public sealed unsafe class HostBuffer : DeviceBuffer
{
    // One huge page: large buffers then need few TLB entries, and every SIMD load stays within a line.
    private const nuint LargeAlignment = 2 << 20;
    private const nuint SmallAlignment = 64;
    private void* _memory;

    /// <summary>Allocates and zeroes.</summary>
    /// <exception cref="OutOfMemoryException">The system has not that much.</exception>
    public HostBuffer(string name, long bytes) : base(name, bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        nuint alignment = bytes >= (long)LargeAlignment ? LargeAlignment : SmallAlignment;
        _memory = NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 64), alignment);
        NativeMemory.Clear(_memory, (nuint)bytes);
    }

    /// <inheritdoc/>
    internal override nint Address =>
        _memory is not null ? (nint)_memory : throw new ObjectDisposedException(Name);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        NativeMemory.AlignedFree(_memory);
        _memory = null;
    }

    /// <summary>Finalizer: the memory is not the collector's.</summary>
    ~HostBuffer() => Dispose(false);
}
