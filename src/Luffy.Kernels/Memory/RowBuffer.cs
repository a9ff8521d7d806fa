namespace Luffy.Kernels;

/// <summary>
/// Host memory that an operation of the reference reuses from call to call. It grows to the longest row seen and allocates no more
/// after that, so that nothing is allocated per token.
/// </summary>
internal sealed class RowBuffer
{
    private float[] _values = [];

    /// <summary>Bytes held.</summary>
    public long Bytes => _values.LongLength * sizeof(float);

    /// <summary><paramref name="length"/> values, whatever the last user left in them.</summary>
    public Span<float> Take(int length)
    {
        if (_values.Length < length) _values = new float[length];
        return _values.AsSpan(0, length);
    }
}
