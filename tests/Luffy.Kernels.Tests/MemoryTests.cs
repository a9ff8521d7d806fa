namespace Luffy.Kernels.Tests;

/// <summary>Views, the scratch stack, bfloat16.</summary>
public sealed class MemoryTests
{
    [Test]
    public void Views_stay_within_their_buffer()
    {
        using HostBuffer buffer = new("weights", 64);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(buffer.View(16, DType.F32, 3, 4).Bytes, Is.EqualTo(48));
            Assert.That(() => buffer.View(20, DType.F32, 3, 4), Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("weights"));
            Assert.That(() => buffer.View(2, DType.F32, 1), Throws.TypeOf<ArgumentOutOfRangeException>());
            Assert.That(() => buffer.View(-4, DType.F32, 1), Throws.TypeOf<ArgumentOutOfRangeException>());
            Assert.That(() => buffer.View(0, DType.F32, -1), Throws.TypeOf<ArgumentOutOfRangeException>());
            Assert.That(() => buffer.View(0, DType.F32, 4, 4).Rows(3, 2), Throws.TypeOf<ArgumentOutOfRangeException>());
            Assert.That(buffer.View(0, DType.F32, 4, 4).Rows(3, 1).ByteOffset, Is.EqualTo(48));
            Assert.That(() => buffer.View(0, DType.F32, 4, 4).Reshape(5, 3), Throws.TypeOf<ArgumentException>());
            Assert.That(buffer.View(0, DType.Bf16, 2, 3, 4).ToString(), Is.EqualTo("bf16[2, 3, 4]"));
            Assert.That(default(Tensor).ToString(), Is.EqualTo("none"));
        }
    }

    [Test]
    public void Every_bfloat16_survives_a_round_trip()
    {
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            float value = BFloat16.ToSingle((ushort)bits);
            if (!float.IsNaN(value)) Assert.That(BFloat16.FromSingle(value), Is.EqualTo((ushort)bits));
        }
    }

    [TestCase(0x3F808000u, 0x3F80), TestCase(0x3F818000u, 0x3F82), TestCase(0x3F808001u, 0x3F81), TestCase(0x3F807FFFu, 0x3F80)]
    [TestCase(0x7F7FFFFFu, 0x7F80), TestCase(0xFF800000u, 0xFF80), TestCase(0x80000000u, 0x8000)]
    public void Rounding_is_to_nearest_even(uint single, int expected) =>
        Assert.That(BFloat16.FromSingle(BitConverter.UInt32BitsToSingle(single)), Is.EqualTo((ushort)expected));

    [TestCase(0x7F800001u), TestCase(0xFFFFFFFFu), TestCase(0x7FFFFFFFu)]
    public void Nan_stays_nan(uint single) =>
        Assert.That(BFloat16.Round(BitConverter.UInt32BitsToSingle(single)), Is.NaN);
}
