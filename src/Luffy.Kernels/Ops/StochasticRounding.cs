namespace Luffy.Kernels;

/// <summary>
/// Rounding of f32 numbers to bf16 up or down by chance, so that the mean of what comes out is the number (Gupta et al., "Deep Learning with
/// Limited Numerical Precision", ICML 2015): a change smaller than half of bf16's last place, which rounding to nearest forgets every time,
/// is kept now and then. The random bits are a pure function of a key, the update and the element, so an update has the same bits on any
/// number of threads and after a resumption.
/// </summary>
internal static class StochasticRounding
{
    /// <summary>
    /// The random word of an element: Philox4x32-10 (<see cref="Philox"/>) of the counter (⌊i/4⌋ mod 2³², ⌊i/4⌋ / 2³², step mod 2³²,
    /// step / 2³²), of which element i takes word i mod 4. Its lower 16 bits are for the first moment, the upper ones for the second.
    /// </summary>
    public static uint Word(long element, long step, ulong key)
    {
        ulong counter = (ulong)element / 4;
        (uint w0, uint w1, uint w2, uint w3) = Philox.Generate((uint)counter, (uint)(counter >> 32), (uint)step, (uint)((ulong)step >> 32), key);
        int word = (int)(element & 3);
        return word == 0 ? w0 : word == 1 ? w1 : word == 2 ? w2 : w3;
    }

    /// <summary>
    /// The bf16 bits of a value rounded up where its lower 16 bits and <paramref name="random"/>, less than 2¹⁶, add up to 2¹⁶. The sign
    /// stays, and so do numbers that are bf16 already and infinities; NaN stays a quiet NaN.
    /// </summary>
    public static ushort Round(float value, uint random)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)(float.IsNaN(value) ? (bits >> 16) | 0x40 : (bits + random) >> 16);
    }
}
