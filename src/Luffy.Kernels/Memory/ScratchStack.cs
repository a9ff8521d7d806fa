namespace Luffy.Kernels;

/// <summary>
/// Short-lived memory, last in first out, over one buffer that is allocated at start-up. Every piece has a name, so that a stack that
/// is too small or released out of order says which piece it was. Contents are whatever the last user left.
/// </summary>
public sealed class ScratchStack
{
    private const long Alignment = 64;
    private readonly DeviceBuffer _buffer;
    private readonly Stack<Piece> _pieces = new();

    /// <summary>An empty stack over the whole of <paramref name="buffer"/>, which the caller keeps and disposes.</summary>
    public ScratchStack(DeviceBuffer buffer)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        _buffer = buffer;
    }

    /// <summary>Bytes available in all.</summary>
    public long Capacity => _buffer.Bytes;

    /// <summary>Bytes in use, alignment included.</summary>
    public long Used { get; private set; }

    /// <summary>The most bytes that were ever in use: what the memory plan must not be below.</summary>
    public long HighWaterMark { get; private set; }

    /// <summary>Pieces in use.</summary>
    public int Depth => _pieces.Count;

    /// <summary>Bytes that a piece of this size takes on a stack: rounded up to 64.</summary>
    public static long AlignedBytes(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    /// <summary>Takes a piece off the free end.</summary>
    /// <exception cref="LuffyKernelException">It does not fit; the message lists what is on the stack.</exception>
    public Tensor Push(string name, DType dtype, long d0, long d1 = 1, long d2 = 1, long d3 = 1)
    {
        long bytes = AlignedBytes(checked(d0 * d1 * d2 * d3 * dtype.Size()));
        if (Used + bytes > Capacity)
        {
            throw new LuffyKernelException("ScratchStack.Push",
                $"'{name}' needs {bytes} bytes but only {Capacity - Used} of {Capacity} in '{_buffer.Name}' are free; in use: " +
                (Depth == 0 ? "nothing" : string.Join(", ", _pieces.Reverse().Select(piece => $"'{piece.Name}' {piece.Bytes}"))));
        }

        Tensor tensor = _buffer.View(Used, dtype, d0, d1, d2, d3);
        _pieces.Push(new Piece(name, bytes));
        Used += bytes;
        HighWaterMark = Math.Max(HighWaterMark, Used);
        return tensor;
    }

    /// <summary>Gives back the piece that was pushed last, which must be <paramref name="name"/>.</summary>
    /// <exception cref="LuffyKernelException">The stack is empty, or another piece lies on top.</exception>
    public void Pop(string name)
    {
        if (!_pieces.TryPeek(out Piece top) || top.Name != name)
        {
            throw new LuffyKernelException("ScratchStack.Pop",
                $"'{name}' is not the last piece pushed: {(Depth == 0 ? "the stack is empty" : $"that is '{top.Name}'")}");
        }

        _pieces.Pop();
        Used -= top.Bytes;
    }

    private readonly record struct Piece(string Name, long Bytes);
}
