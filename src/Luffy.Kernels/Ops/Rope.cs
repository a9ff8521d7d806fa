namespace Luffy.Kernels;

/// <summary>Rotary position embedding in the half-split layout of Hugging Face: element i turns with element i + D/2.</summary>
public interface IRope
{
    /// <summary>Rotates the first <paramref name="rotatedHeads"/> heads of every token in place: queries and keys, not values.</summary>
    /// <param name="qkv">[T, heads, D], changed in place.</param>
    /// <param name="positions">[T] I32, each in 0..P−1.</param>
    /// <param name="table">[P, D] F32: cos of the D/2 angles, then their sin.</param>
    /// <param name="rotatedHeads">How many of the heads turn.</param>
    void Forward(in Tensor qkv, in Tensor positions, in Tensor table, int rotatedHeads);

    /// <summary>The inverse rotation, which is the transpose: the gradient of <see cref="Forward"/>, in place.</summary>
    void Backward(in Tensor dQkv, in Tensor positions, in Tensor table, int rotatedHeads);
}
