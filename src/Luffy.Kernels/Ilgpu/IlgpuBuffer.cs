using ILGPU;
using ILGPU.Runtime;

namespace Luffy.Kernels.Ilgpu;

/// <summary>Memory of an accelerator.</summary>
internal sealed class IlgpuBuffer : DeviceBuffer
{
    private const int Alignment = 64;
    private readonly HostIntegers _integers = new();
    private readonly long _start;
    private MemoryBuffer? _memory;

    /// <summary>Allocates and zeroes.</summary>
    /// <exception cref="LuffyKernelException">The device has not that much.</exception>
    public IlgpuBuffer(IlgpuContext context, string name, long bytes) : base(name, bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Context = context;
        // The emulator's memory is the host's, which need not start at a multiple of 64.
        _memory = context.AllocateMemory(name, bytes + Alignment);
        _start = (Alignment - (_memory.NativePtr % Alignment)) % Alignment;
        context.ZeroMemory(_memory);
    }

    /// <summary>Whose memory it is.</summary>
    public IlgpuContext Context { get; }

    /// <summary>What the host knows of the integers in it.</summary>
    public HostIntegers Integers => Memory is not null ? _integers : throw new ObjectDisposedException(Name);

    /// <inheritdoc/>
    internal override nint Address => Memory.NativePtr + (nint)_start;

    private MemoryBuffer Memory => _memory ?? throw new ObjectDisposedException(Name);

    /// <summary>Whether a byte offset is a multiple of so many bytes, both for the device and in ILGPU's views.</summary>
    public bool IsAligned(long byteOffset, int bytes) => (Address + byteOffset) % bytes == 0 && (_start + byteOffset) % bytes == 0;

    /// <summary>Elements at a byte offset, which must be a multiple of their size.</summary>
    public ArrayView<T> Elements<T>(long byteOffset, long length) where T : unmanaged
    {
        int size = Interop.SizeOf<T>();
        return (_start + byteOffset) % size == 0
            ? new ArrayView<T>(Memory, (_start + byteOffset) / size, length)
            : throw new LuffyKernelException("view", $"byte {byteOffset} of '{Name}' is not aligned to the {size} bytes of {typeof(T).Name}");
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) _memory?.Dispose();
        _memory = null;
    }
}
