namespace Luffy.Kernels.Tests;

[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.AllAndEmulatorF32))]
public sealed class TransferTests(string backend) : OperationTests(backend, DType.F32)
{
    [Test]
    public void Allocated_memory_is_zero_and_aligned()
    {
        using DeviceBuffer buffer = Backend.Allocate("test", 1001);
        byte[] bytes = new byte[1001];
        Array.Fill(bytes, (byte)1);
        Backend.Download<byte>(buffer.View(DType.U8), bytes);
        Assert.That(bytes, Has.All.EqualTo((byte)0));
        Assert.That(buffer.Address % 64, Is.EqualTo((nint)0));
    }

    [Test]
    public void What_was_uploaded_comes_back_and_zero_clears_the_view_alone()
    {
        Tensor tensor = Lab.Floats(DType.F32, [1, 2, 3, 4, 5, 6], 3, 2);
        Backend.Zero(tensor.Rows(1, 1));
        Assert.That(Lab.Read(tensor), Is.EqualTo(new float[] { 1, 2, 0, 0, 5, 6 }));
        Tensor ids = Lab.Ints(1, -2, int.MaxValue);
        Assert.That(Lab.ReadInts(ids), Is.EqualTo(new[] { 1, -2, int.MaxValue }));
        Backend.Zero(ids);
        Assert.That(Lab.ReadInts(ids), Has.All.Zero);
    }

    [Test]
    public void A_device_with_memory_of_its_own_computes_in_the_hosts_too_and_others_say_so()
    {
        if (Backend.FreeDeviceBytes is null)
        {
            Assert.That(() => Backend.Allocate("moments", 64, MemoryPlace.Host), Throws.TypeOf<LuffyKernelException>().With.Message.Contains("host"));
            return;
        }

        Assert.That(Backend.FreeDeviceBytes, Is.Positive);
        float[] values = Inputs.Normal(2, DType.F32, 37);
        using DeviceBuffer near = Backend.Allocate("near", 37 * 4), far = Backend.Allocate("far", 37 * 4, MemoryPlace.Host);
        Tensor onDevice = near.View(DType.F32), onHost = far.View(DType.F32);
        Assert.That(Lab.Read(onHost), Has.All.Zero);
        Backend.Upload<float>(onHost, values);
        Backend.Copy(onDevice, onHost);
        Assert.That(Lab.Read(onDevice), Is.EqualTo(values));
        Backend.Zero(onHost);
        Assert.That(Lab.Read(onHost), Has.All.Zero);
    }

    [TestCase(1), TestCase(17), TestCase(64), TestCase(1003)]
    public void Copy_converts_and_rounds_to_nearest_even(int n)
    {
        float[] values = Inputs.Normal(1, DType.F32, n);
        // Ties both ways, a carry into the exponent, overflow, the smallest, infinities.
        float[] corners = [1.00390625f, 1.01171875f, 1.9999999f, float.MaxValue, float.Epsilon, -0f, float.PositiveInfinity, float.NegativeInfinity];
        for (int i = 0; i < Math.Min(n, corners.Length); i++) values[i] = corners[i];
        Tensor wide = Lab.Floats(DType.F32, values, n), narrow = Lab.Output(DType.Bf16, n), back = Lab.Output(DType.F32, n), same = Lab.Output(DType.F32, n);
        Backend.Copy(narrow, wide);
        Backend.Copy(back, narrow);
        Backend.Copy(same, wide);
        float[] rounded = Array.ConvertAll(values, BFloat16.Round);
        Expect.SameBits("bf16", Lab.Read(narrow), rounded);
        Expect.SameBits("back", Lab.Read(back), rounded);
        Expect.SameBits("f32 to f32", Lab.Read(same), values);
    }

    [Test]
    public void Copy_keeps_nan_and_moves_integers_and_bytes()
    {
        Tensor narrow = Lab.Output(DType.Bf16, 1);
        Backend.Copy(narrow, Lab.Floats(DType.F32, [BitConverter.UInt32BitsToSingle(0x7F800001)], 1));
        Assert.That(Lab.Read(narrow)[0], Is.NaN, "a NaN whose payload lies in the lower half");
        Tensor ids = Lab.Output(DType.I32, 3);
        Backend.Copy(ids, Lab.Ints(7, 8, 9));
        Assert.That(Lab.ReadInts(ids), Is.EqualTo(new[] { 7, 8, 9 }));
    }

    [Test]
    public void Transfers_of_another_length_or_type_are_refused()
    {
        Tensor tensor = Lab.Floats(DType.F32, [1, 2, 3], 3);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(() => Backend.Upload<float>(tensor, new float[2]), Throws.TypeOf<LuffyKernelException>().With.Message.Contains("f32[3]"));
            Assert.That(() => Backend.Download<float>(tensor, new float[4]), Throws.TypeOf<LuffyKernelException>().With.Message.Contains("f32[3]"));
            Assert.That(() => Backend.Upload<ushort>(tensor, new ushort[3]), Throws.TypeOf<LuffyKernelException>());
            Assert.That(() => Backend.Download<int>(tensor, new int[3]), Throws.TypeOf<LuffyKernelException>());
            Assert.That(() => Backend.Copy(tensor, Lab.Floats(DType.F32, [1, 2], 2)), Throws.TypeOf<LuffyKernelException>());
            Assert.That(() => Backend.Copy(tensor, Lab.Ints(1, 2, 3)), Throws.TypeOf<LuffyKernelException>());
        }
    }

    [Test]
    public void Memory_that_was_released_is_refused()
    {
        DeviceBuffer buffer = Backend.Allocate("gone", 64);
        Tensor tensor = buffer.View(DType.F32);
        buffer.Dispose();
        buffer.Dispose();
        Assert.That(() => Backend.Zero(tensor), Throws.TypeOf<ObjectDisposedException>());
    }
}
