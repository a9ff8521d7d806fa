namespace Luffy.Kernels;

/// <summary>Conversions between binary32 and bfloat16 bits. .NET has no such type, so the bits travel as <see cref="ushort"/>.</summary>
public static class BFloat16
{
    /// <summary>Rounds to nearest, ties to even; NaN stays a quiet NaN, overflow becomes infinity.</summary>
    public static ushort FromSingle(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value)) return (ushort)((bits >> 16) | 0x40);
        return (ushort)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
    }

    /// <summary>Exact: every bfloat16 is a binary32.</summary>
    public static float ToSingle(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>The nearest value that bfloat16 storage can hold.</summary>
    public static float Round(float value) => ToSingle(FromSingle(value));
}
