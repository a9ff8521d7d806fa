using ILGPU;

namespace Luffy.Kernels.Ilgpu;

/// <summary>
/// Cuts an operation's scratch into arrays, one behind the other. Without a context it only counts, so that one method says both how much
/// scratch an operation needs and where everything lies in it.
/// </summary>
internal struct ScratchLayout(IlgpuContext? context, Tensor scratch)
{
    private const int Alignment = 64;

    /// <summary>Bytes taken so far.</summary>
    public long Bytes { get; private set; }

    /// <summary>The next array, as a tensor; absent where this only counts.</summary>
    public Tensor Take(DType dtype, long rows, long rowLength = 1)
    {
        long start = Bytes;
        Bytes += ((rows * rowLength * dtype.Size()) + Alignment - 1) / Alignment * Alignment;
        return context is null ? default : new Tensor(scratch.Buffer, scratch.ByteOffset + start, dtype, rows, rowLength, 1, 1);
    }

    /// <summary>The next array, for a kernel; empty where this only counts.</summary>
    public ArrayView<T> Take<T>(long length) where T : unmanaged
    {
        Tensor bytes = Take(DType.U8, length, Interop.SizeOf<T>());
        return context is null ? default : context.View<T>(bytes);
    }
}
