namespace Luffy.Kernels.Tests;

public sealed class SplitMasterTests
{
    /// <summary>
    /// For every upper half of an f32 the lower halves around which rounding turns, and for some of them all lower halves: positive and
    /// negative, odd and even, zero, subnormal, the largest, infinite and NaN.
    /// </summary>
    public static IEnumerable<float> Samples()
    {
        uint[] turns = [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF];
        for (uint upper = 0; upper <= 0xFFFF; upper++)
            foreach (uint lower in turns) yield return BitConverter.UInt32BitsToSingle((upper << 16) | lower);
        uint[] wholes = [0, 1, 0x7F, 0x80, 0x3F80, 0x3F81, 0x7F7E, 0x7F7F, 0x8000, 0x8001, 0xBF80, 0xC001, 0xFF7F];
        foreach (uint upper in wholes)
            for (uint lower = 0; lower <= 0xFFFF; lower++) yield return BitConverter.UInt32BitsToSingle((upper << 16) | lower);
    }

    [Test]
    public void Every_number_comes_back_to_the_bit_and_its_weight_is_rounded_to_nearest_even()
    {
        int ties = 0;
        foreach (float master in Samples())
        {
            SplitMaster split = SplitMaster.Of(master);
            if (split.Weight != BFloat16.FromSingle(master)) Assert.Fail($"the weight of {master:R} is {split.Weight:X4}");
            if (split.UpperTie) ties++;
            uint back = BitConverter.SingleToUInt32Bits(split.Value), bits = BitConverter.SingleToUInt32Bits(master);
            if (float.IsNaN(master) ? !float.IsNaN(split.Value) : back != bits) Assert.Fail($"{bits:X8} came back as {back:X8}");
        }

        // Half of all ties round down, which leaves +2¹⁵.
        Assert.That(ties, Is.GreaterThan(30_000));
    }
}
