using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Luffy.Kernels;

namespace Luffy.Engine.Checkpoint;

/// <summary>Stored bytes to f32 and back. Files are little-endian, as is every machine that .NET 10 supports.</summary>
internal static class FloatConversion
{
    /// <summary>Converts whole elements of <paramref name="source"/>; widening is exact.</summary>
    public static void ToSingle(SafeTensorsDType dtype, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (dtype)
        {
            case SafeTensorsDType.F32:
                source.CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case SafeTensorsDType.F16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(source), destination);
                break;
            case SafeTensorsDType.BF16:
                WidenBf16(MemoryMarshal.Cast<byte, ushort>(source), MemoryMarshal.Cast<float, uint>(destination));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "not a floating-point weight type");
        }
    }

    /// <summary>Converts f32 to stored bytes, rounding to nearest, ties to even; NaN stays NaN and overflow becomes infinity.</summary>
    public static void FromSingle(SafeTensorsDType dtype, ReadOnlySpan<float> source, Span<byte> destination)
    {
        switch (dtype)
        {
            case SafeTensorsDType.F32:
                MemoryMarshal.AsBytes(source).CopyTo(destination);
                break;
            case SafeTensorsDType.F16:
                TensorPrimitives.ConvertToHalf(source, MemoryMarshal.Cast<byte, Half>(destination));
                break;
            case SafeTensorsDType.BF16:
                NarrowBf16(source, MemoryMarshal.Cast<byte, ushort>(destination));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "not a floating-point weight type");
        }
    }

    /// <summary>Whether no element of stored BF16 is NaN or infinity: those have all bits of the exponent.</summary>
    public static bool AllFiniteBf16(ReadOnlySpan<ushort> source)
    {
        const ushort Exponent = 0x7f80;
        var mask = new Vector<ushort>(Exponent);
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
            if (Vector.EqualsAny(new Vector<ushort>(source[i..]) & mask, mask)) return false;
        for (; i < source.Length; i++)
            if ((source[i] & Exponent) == Exponent) return false;
        return true;
    }

    /// <summary>BF16 bits as f32, exactly.</summary>
    public static void WidenBf16(ReadOnlySpan<ushort> source, Span<float> destination) =>
        WidenBf16(source, MemoryMarshal.Cast<float, uint>(destination));

    /// <summary>f32 as BF16 bits, rounded to nearest, ties to even.</summary>
    public static void NarrowBf16(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        // Adding 0x7fff plus the lowest kept bit rounds to nearest even, but would carry a NaN's payload into infinity or −0.
        var half = new Vector<uint>(0x7fff);
        var quiet = new Vector<uint>(0x40);
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
            Vector.Narrow(Round(new Vector<float>(source[i..])), Round(new Vector<float>(source[(i + Vector<float>.Count)..]))).CopyTo(destination[i..]);
        for (; i < source.Length; i++) destination[i] = BFloat16.FromSingle(source[i]);

        Vector<uint> Round(Vector<float> values)
        {
            Vector<uint> bits = Vector.AsVectorUInt32(values), upper = bits >>> 16;
            return Vector.ConditionalSelect(Vector.AsVectorUInt32(Vector.IsNaN(values)), upper | quiet, (bits + half + (upper & Vector<uint>.One)) >>> 16);
        }
    }

    private static void WidenBf16(ReadOnlySpan<ushort> source, Span<uint> destination)
    {
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out Vector<uint> low, out Vector<uint> high);
            (low << 16).CopyTo(destination[i..]);
            (high << 16).CopyTo(destination[(i + Vector<uint>.Count)..]);
        }
        for (; i < source.Length; i++) destination[i] = (uint)source[i] << 16;
    }
}
