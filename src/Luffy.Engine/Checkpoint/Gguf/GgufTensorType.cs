namespace Luffy.Engine.Checkpoint.Gguf;

/// <summary>How GGUF stores the elements of a tensor; the numbers are the format's.</summary>
public enum GgufTensorType
{
    /// <summary>Single precision.</summary>
    F32 = 0,

    /// <summary>q8_0: blocks of 32 signed bytes with one half-precision scale each: 8.5 bits an element.</summary>
    Q80 = 8,

    /// <summary>The upper half of single precision.</summary>
    BF16 = 30,
}

/// <summary>Sizes and names of the types.</summary>
public static class GgufTensorTypes
{
    /// <summary>Elements that are stored together; rows have a multiple of them.</summary>
    public static int BlockLength(this GgufTensorType type) => type == GgufTensorType.Q80 ? Q8Block.Length : 1;

    /// <summary>Bytes of <paramref name="elements"/>, a multiple of the block.</summary>
    public static long Bytes(this GgufTensorType type, long elements) => type switch
    {
        GgufTensorType.F32 => elements * 4,
        GgufTensorType.BF16 => elements * 2,
        GgufTensorType.Q80 => elements / Q8Block.Length * Q8Block.Bytes,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not a type that is written"),
    };

    /// <summary>The name that users give it: <c>f32</c>, <c>bf16</c>, <c>q8_0</c>.</summary>
    public static string Name(this GgufTensorType type) => type == GgufTensorType.Q80 ? "q8_0" : type.ToString().ToLowerInvariant();

    /// <summary>What <c>general.file_type</c> says of a file whose matrices have this type.</summary>
    internal static uint FileType(this GgufTensorType type) => type switch
    {
        GgufTensorType.F32 => 0,
        GgufTensorType.Q80 => 7,
        GgufTensorType.BF16 => 32,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not a type that is written"),
    };

    /// <summary>Stores whole blocks of elements.</summary>
    internal static void Encode(this GgufTensorType type, ReadOnlySpan<float> values, Span<byte> destination)
    {
        switch (type)
        {
            case GgufTensorType.Q80:
                for (int i = 0; i < values.Length / Q8Block.Length; i++)
                    Q8Block.Quantize(values.Slice(i * Q8Block.Length, Q8Block.Length), destination.Slice(i * Q8Block.Bytes, Q8Block.Bytes));
                break;
            case GgufTensorType.BF16:
                FloatConversion.FromSingle(SafeTensorsDType.BF16, values, destination);
                break;
            default:
                FloatConversion.FromSingle(SafeTensorsDType.F32, values, destination);
                break;
        }
    }
}
