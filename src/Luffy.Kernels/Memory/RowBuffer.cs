using System.Numerics;

namespace Luffy.Kernels;

/// <summary>
/// Host memory that an operation of the reference reuses from call to call. It grows to the power of two above the longest row seen,
/// so that a context that becomes longer by one token at a time does not allocate at every token.
/// </summary>
internal sealed class RowBuffer
{
    private float[] _values = [];

    /// <summary>Bytes held.</summary>
    public long Bytes => _values.LongLength * sizeof(float);

    /// <summary><paramref name="length"/> values, whatever the last user left in them.</summary>
    public Span<float> Take(int length)
    {
        if (_values.Length < length) _values = new float[BitOperations.RoundUpToPowerOf2((uint)length)];
        return _values.AsSpan(0, length);
    }
}
