namespace Luffy.Kernels.Native;

/// <summary>Memory of a native backend, on the host or on a device: only the backend touches what is in it.</summary>
internal sealed class NativeBuffer(NativeContext context, string name, long bytes, MemoryPlace place) : DeviceBuffer(name, bytes)
{
    private nint _memory = context.Allocate(name, bytes, place);

    /// <summary>Whose memory it is.</summary>
    public NativeContext Context { get; } = context;

    /// <inheritdoc/>
    internal override nint Address => _memory != 0 ? _memory : throw new ObjectDisposedException(Name);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_memory != 0) Context.Release(_memory);
        _memory = 0;
    }
}
