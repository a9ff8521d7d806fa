using System.Runtime.InteropServices;

namespace Luffy.Kernels;

/// <summary>
/// Host memory of F32 or Bf16 storage seen as F32 values: the one place where the reference knows about dtypes. Reading widens
/// exactly; writing rounds to nearest even.
/// </summary>
internal readonly ref struct FloatSpan
{
    private readonly Span<float> _singles;
    private readonly Span<ushort> _halves;
    private readonly bool _isBf16;

    /// <summary>The elements of a tensor; an absent tensor is empty.</summary>
    public FloatSpan(in Tensor tensor)
    {
        _isBf16 = tensor.Exists && tensor.DType == DType.Bf16;
        if (_isBf16) _halves = tensor.AsSpan<ushort>();
        else _singles = tensor.AsSpan<float>();
    }

    /// <summary>Raw bytes taken as elements of <paramref name="dtype"/>: a cache, whose layout is its owner's.</summary>
    public FloatSpan(Span<byte> bytes, DType dtype)
    {
        _isBf16 = dtype == DType.Bf16;
        if (_isBf16) _halves = MemoryMarshal.Cast<byte, ushort>(bytes);
        else _singles = MemoryMarshal.Cast<byte, float>(bytes);
    }

    /// <summary>Number of elements.</summary>
    public int Length => _isBf16 ? _halves.Length : _singles.Length;

    /// <summary>One element.</summary>
    public float this[int index]
    {
        get => _isBf16 ? BFloat16.ToSingle(_halves[index]) : _singles[index];
        set
        {
            if (_isBf16) _halves[index] = BFloat16.FromSingle(value);
            else _singles[index] = value;
        }
    }

    /// <summary>
    /// <paramref name="length"/> elements from <paramref name="start"/> as F32, so that inner loops run over plain spans: the storage
    /// itself where it is F32, else its values in <paramref name="buffer"/>.
    /// </summary>
    public ReadOnlySpan<float> Read(int start, int length, Span<float> buffer)
    {
        if (!_isBf16) return _singles.Slice(start, length);
        ReadOnlySpan<ushort> source = _halves.Slice(start, length);
        for (int i = 0; i < source.Length; i++) buffer[i] = BFloat16.ToSingle(source[i]);
        return buffer[..length];
    }

    /// <summary>Stores values from <paramref name="start"/> on, rounded to storage.</summary>
    public void Write(int start, ReadOnlySpan<float> values)
    {
        if (_isBf16)
        {
            Span<ushort> destination = _halves.Slice(start, values.Length);
            for (int i = 0; i < values.Length; i++) destination[i] = BFloat16.FromSingle(values[i]);
        }
        else
        {
            values.CopyTo(_singles[start..]);
        }
    }
}
