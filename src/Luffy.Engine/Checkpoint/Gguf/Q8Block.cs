using System.Buffers.Binary;
using System.Numerics.Tensors;

namespace Luffy.Engine.Checkpoint.Gguf;

/// <summary>A block of GGUF's type q8_0: a half-precision scale d, then 32 signed bytes q; an element is d·q.</summary>
public static class Q8Block
{
    /// <summary>Elements of a block.</summary>
    public const int Length = 32;

    /// <summary>Bytes of a block.</summary>
    public const int Bytes = 2 + Length;

    /// <summary>
    /// d = max|x| / 127 and q = round(x · (1/d)), halves away from zero, in single precision throughout, d rounded to half precision only where
    /// it is stored: the bits of ggml's reference quantisation.
    /// </summary>
    public static void Quantize(ReadOnlySpan<float> values, Span<byte> block)
    {
        float scale = MathF.Abs(TensorPrimitives.MaxMagnitude(values)) / 127, inverse = scale == 0 ? 0 : 1 / scale;
        BinaryPrimitives.WriteHalfLittleEndian(block, (Half)scale);
        for (int i = 0; i < Length; i++)
        {
            float scaled = values[i] * inverse;
            // In double precision the sum is exact, so that the number just below a half does not become one.
            block[2 + i] = (byte)(sbyte)(int)(scaled + (scaled < 0 ? -0.5 : 0.5));
        }
    }
}
