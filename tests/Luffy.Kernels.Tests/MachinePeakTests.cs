using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels.Tests;

/// <summary>The measured limits of the machine are there, and of the order that a core has had since AVX2 (2013) and will have for a while.</summary>
public sealed class MachinePeakTests
{
    [TestCaseSource(typeof(TestBackends), nameof(TestBackends.Native))]
    public void A_native_backend_measures_its_arithmetic(string name)
    {
        using IBackend backend = TestBackends.Open(name, 1);
        Assert.That(backend.MeasureArithmetic(DType.F32), Is.InRange(1e9, 1e13));
        Assert.That(backend.MeasureArithmetic(DType.Bf16), Is.InRange(1e9, 1e13));
        Assert.That(() => backend.MeasureArithmetic(DType.I32), Throws.TypeOf<LuffyKernelException>().With.Message.Contains("f32 or bf16"));
    }

    [Test]
    public void A_native_backend_measures_its_bandwidth()
    {
        using IBackend backend = TestBackends.Open("cpu/avx2");
        Assert.That(backend.MeasureBandwidth(), Is.InRange(1e8, 1e13));
    }

    // An emulation has no speed to speak of, but its kernels are those that measure a GPU.
    [TestCase(TestBackends.Cuda), TestCase(TestBackends.CudaWithoutWgmma)]
    public void The_kernels_that_measure_a_gpu_run(string name)
    {
        using IBackend backend = TestBackends.Open(name);
        Assert.That(backend.MeasureArithmetic(DType.F32), Is.InRange(1e5, 1e15));
        Assert.That(backend.MeasureArithmetic(DType.Bf16), Is.InRange(1e5, 1e16));
        Assert.That(backend.MeasureBandwidth(), Is.InRange(1e5, 1e14));
    }

    [Test]
    public void The_reference_has_no_limit_to_speak_of()
    {
        using IBackend backend = TestBackends.Open("reference");
        Assert.That((backend.MeasureArithmetic(DType.F32), backend.MeasureBandwidth()), Is.EqualTo(((double?)null, (double?)null)));
    }

    [Test]
    public void An_emulator_has_no_limit_to_speak_of_either()
    {
        using IlgpuBackend backend = new(IlgpuDevice.OpenEmulator(1));
        Assert.That((backend.MeasureArithmetic(DType.F32), backend.MeasureArithmetic(DType.Bf16), backend.MeasureBandwidth()),
            Is.EqualTo(((double?)null, (double?)null, (double?)null)));
        Assert.That(() => backend.MeasureArithmetic(DType.I32), Throws.TypeOf<LuffyKernelException>().With.Message.Contains("f32 or bf16"));
    }
}
