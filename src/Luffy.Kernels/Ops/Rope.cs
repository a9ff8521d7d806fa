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

/// <summary>The specification of <see cref="IRope"/> as plain loops.</summary>
public sealed class RopeReference : IRope
{
    /// <inheritdoc/>
    public void Forward(in Tensor qkv, in Tensor positions, in Tensor table, int rotatedHeads) =>
        Rotate("Rope.Forward", qkv, positions, table, rotatedHeads, direction: 1);

    /// <inheritdoc/>
    public void Backward(in Tensor dQkv, in Tensor positions, in Tensor table, int rotatedHeads) =>
        Rotate("Rope.Backward", dQkv, positions, table, rotatedHeads, direction: -1);

    private static void Rotate(string operation, in Tensor qkv, in Tensor positions, in Tensor table, int rotatedHeads, float direction)
    {
        long dimension = RopeChecks.Rotate(operation, qkv, positions, table, rotatedHeads);

        ReadOnlySpan<int> places = positions.AsSpan<int>();
        Checks.Range(operation, "positions", places, table.D0);

        FloatSpan values = new(qkv);
        ReadOnlySpan<float> angles = table.AsSpan<float>();
        (int width, int half, int rowLength) = ((int)dimension, (int)dimension / 2, (int)qkv.RowLength);
        for (int t = 0; t < places.Length; t++)
        {
            ReadOnlySpan<float> cos = angles.Slice(places[t] * width, half), sin = angles.Slice((places[t] * width) + half, half);
            for (int head = 0; head < rotatedHeads; head++)
            {
                int start = (t * rowLength) + (head * width);
                for (int i = 0; i < half; i++)
                {
                    float a = values[start + i], b = values[start + half + i], s = direction * sin[i];
                    values[start + i] = (a * cos[i]) - (b * s);
                    values[start + half + i] = (b * cos[i]) + (a * s);
                }
            }
        }
    }
}
