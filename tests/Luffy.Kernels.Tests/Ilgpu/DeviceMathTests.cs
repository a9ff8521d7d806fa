using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels.Tests.Ilgpu;

/// <summary>The exponential and logarithm of kernels, on the host: they are made of steps that every device rounds alike.</summary>
public sealed class DeviceMathTests
{
    [Test]
    public void Exp_is_right_to_two_units_in_the_last_place()
    {
        double worst = 0;
        for (float x = -87; x < 88.7f; x += 0.00137f) worst = Math.Max(worst, Units(DeviceMath.Exp(x), Math.Exp(x)));
        Assert.That(worst, Is.LessThan(2));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(DeviceMath.Exp(0), Is.EqualTo(1));
            Assert.That(DeviceMath.Exp(-0f), Is.EqualTo(1));
            Assert.That(DeviceMath.Exp(89), Is.EqualTo(float.PositiveInfinity));
            Assert.That(DeviceMath.Exp(float.PositiveInfinity), Is.EqualTo(float.PositiveInfinity));
            Assert.That(DeviceMath.Exp(float.NegativeInfinity), Is.Zero);
            Assert.That(DeviceMath.Exp(float.NaN), Is.NaN);
            Assert.That(DeviceMath.Exp(88.72f), Is.EqualTo(Math.Exp(88.72f)).Within(1e-4).Percent);
            Assert.That(DeviceMath.Exp(-100), Is.EqualTo(Math.Exp(-100)).Within(2 * float.Epsilon), "below the smallest normal number");
        }
    }

    [Test]
    public void Exp_in_f64_is_right_to_two_units_in_the_last_place()
    {
        double worst = 0;
        for (double x = -708; x < 709.7; x += 0.0137) worst = Math.Max(worst, Math.Abs(DeviceMath.Exp(x) - Math.Exp(x)) / (Math.BitIncrement(Math.Exp(x)) - Math.Exp(x)));
        for (double x = -1; x < 1; x += 0.0000137) worst = Math.Max(worst, Math.Abs(DeviceMath.Exp(x) - Math.Exp(x)) / (Math.BitIncrement(Math.Exp(x)) - Math.Exp(x)));
        Assert.That(worst, Is.LessThanOrEqualTo(2));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(DeviceMath.Exp(0.0), Is.EqualTo(1));
            Assert.That(DeviceMath.Exp(710.0), Is.EqualTo(double.PositiveInfinity));
            Assert.That(DeviceMath.Exp(double.PositiveInfinity), Is.EqualTo(double.PositiveInfinity));
            Assert.That(DeviceMath.Exp(double.NegativeInfinity), Is.Zero);
            Assert.That(DeviceMath.Exp(double.NaN), Is.NaN);
            Assert.That(DeviceMath.Exp(-740.0), Is.EqualTo(Math.Exp(-740)).Within(2 * double.Epsilon), "below the smallest normal number");
        }
    }

    [Test]
    public void Log_in_f64_is_right_to_two_units_in_the_last_place()
    {
        double worst = 0;
        for (double x = 1e-300; x < 1e300; x *= 1.0137) worst = Math.Max(worst, Units(x));
        for (double x = 0.4; x < 2.5; x += 0.0000137) worst = Math.Max(worst, Units(x));
        Assert.That(worst, Is.LessThanOrEqualTo(2));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(DeviceMath.Log(1.0), Is.Zero);
            Assert.That(DeviceMath.Log(0.0), Is.EqualTo(double.NegativeInfinity));
            Assert.That(DeviceMath.Log(double.PositiveInfinity), Is.EqualTo(double.PositiveInfinity));
            Assert.That(DeviceMath.Log(-1.0), Is.NaN);
            Assert.That(DeviceMath.Log(double.NaN), Is.NaN);
        }

        static double Units(double x) => Math.Abs(DeviceMath.Log(x) - Math.Log(x)) / (Math.BitIncrement(Math.Abs(Math.Log(x))) - Math.Abs(Math.Log(x)));
    }

    [Test]
    public void Log_is_right_to_two_units_in_the_last_place()
    {
        double worst = 0;
        for (uint bits = 0x00800000; bits < 0x7F800000; bits += 4099)
        {
            float x = BitConverter.UInt32BitsToSingle(bits);
            worst = Math.Max(worst, Units(DeviceMath.Log(x), Math.Log(x)));
        }

        for (float x = 0.9f; x < 1.1f; x = MathF.BitIncrement(x)) worst = Math.Max(worst, Units(DeviceMath.Log(x), Math.Log(x)));
        Assert.That(worst, Is.LessThan(2));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(DeviceMath.Log(1), Is.Zero);
            Assert.That(DeviceMath.Log(0), Is.EqualTo(float.NegativeInfinity));
            Assert.That(DeviceMath.Log(-1), Is.NaN);
            Assert.That(DeviceMath.Log(float.NaN), Is.NaN);
            Assert.That(DeviceMath.Log(float.PositiveInfinity), Is.EqualTo(float.PositiveInfinity));
        }
    }

    [Test]
    public void Rounding_to_bfloat16_is_that_of_the_host()
    {
        Random random = new(1);
        foreach (uint bits in (uint[])[0x3F808000, 0x3F818000, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7F800001, 0xFFFFFFFF, .. Enumerable.Range(0, 10_000).Select(_ => (uint)random.NextInt64(1L << 32))])
        {
            float value = BitConverter.UInt32BitsToSingle(bits);
            Assert.That(DeviceMath.RoundToBFloat16(value), Is.EqualTo(BFloat16.FromSingle(value)));
        }
    }

    private static double Units(float actual, double truth)
    {
        double unit = Math.Max(MathF.BitIncrement(MathF.Abs((float)truth)) - Math.Abs((double)(float)truth), float.Epsilon);
        return Math.Abs(actual - truth) / unit;
    }
}
