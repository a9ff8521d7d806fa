using System.Runtime.Intrinsics.X86;
using Luffy.Kernels.Ilgpu;
using Luffy.Kernels.Native;

namespace Luffy.Kernels.Tests;

/// <summary>
/// The backends that every operation is tested on: the reference, and the native CPU library with each of its instruction sets. An
/// instruction set that this processor lacks is skipped; a library that is missing is a failure, because ./test.sh builds it first.
/// </summary>
public static class TestBackends
{
    /// <summary>
    /// Set to <c>device</c>, it has the tests of <see cref="Emulator"/> run on this machine's best device instead, be it a CPU that offers OpenCL,
    /// and with the shapes that other backends have.
    /// </summary>
    private const string DeviceVariable = "LUFFY_TEST_ILGPU";

    /// <summary>
    /// <c>device</c> has the tests of <see cref="Cuda"/> run on libluffy_cuda and this machine's GPU, with the shapes that other backends have, and
    /// <c>device-small</c> with those of the emulator, for tools that watch every access. Else they run on libluffy_cuda_emulated.
    /// </summary>
    private const string CudaVariable = "LUFFY_TEST_CUDA";

    public static readonly string[] Native = ["cpu/avx2", "cpu/avx512", "cpu/avx512bf16"];

    /// <summary>The kernels for any GPU, on the emulator: threads of the host for those of a GPU, so shapes must be small.</summary>
    public const string Emulator = "ilgpu";

    /// <summary>The same, playing a GPU with tensor cores: what bf16 products are then made of.</summary>
    public const string EmulatorWithTensorCores = "ilgpu/tensor";

    /// <summary>The CUDA kernels, with the products that compute capability 9.0 has (wgmma).</summary>
    public const string Cuda = "cuda";

    /// <summary>The same with the products of 8.0 (mma.sync).</summary>
    public const string CudaWithoutWgmma = "cuda/mma";

    public static IEnumerable<TestFixtureData> All => Cases(["reference", .. Native], [DType.F32, DType.Bf16]);

    /// <summary>The same and the emulator.</summary>
    public static IEnumerable<TestFixtureData> AllAndEmulator => Cases(["reference", .. Native, Emulator, Cuda], [DType.F32, DType.Bf16]);

    /// <summary>The same and tensor cores, for products.</summary>
    public static IEnumerable<TestFixtureData> AllAndEmulators =>
        [.. AllAndEmulator, new(EmulatorWithTensorCores, DType.Bf16), new(CudaWithoutWgmma, DType.Bf16)];

    /// <summary>The same as <see cref="AllAndEmulator"/> and CUDA's other matrix instruction.</summary>
    public static IEnumerable<TestFixtureData> AllAndEmulatorWithoutWgmma => [.. AllAndEmulator, new(CudaWithoutWgmma, DType.Bf16)];

    public static IEnumerable<TestFixtureData> AllAndEmulatorF32 => ((string[])["reference", .. Native, Emulator, Cuda]).Select(name => new TestFixtureData(name));

    public static IEnumerable<TestFixtureData> AllF32 => ((string[])["reference", .. Native]).Select(name => new TestFixtureData(name));

    public static IEnumerable<TestFixtureData> NativeAndEmulator => Cases([.. Native, Emulator, Cuda], [DType.F32, DType.Bf16]);

    /// <summary>What computes on GPUs, or plays one.</summary>
    public static IEnumerable<TestFixtureData> Gpus =>
        [.. Cases([Emulator, Cuda], [DType.F32, DType.Bf16]), new(CudaWithoutWgmma, DType.Bf16)];

    public static IEnumerable<TestFixtureData> NativeOnly => Cases(Native, [DType.F32, DType.Bf16]);

    /// <summary>Whether a backend is an emulator, or watched as closely, so that a test must be short.</summary>
    public static bool IsEmulator(string name) => name == EmulatorWithTensorCores || (name == Emulator && !OnDevice) || (IsCuda(name) && CudaSetting != "device");

    private static string? CudaSetting => Environment.GetEnvironmentVariable(CudaVariable);

    private static string CudaLibrary => CudaSetting switch
    {
        null or "" or "emulated" => "cuda_emulated",
        "device" or "device-small" => "cuda",
        string other => throw new InvalidOperationException($"{CudaVariable} is '{other}'; it may be emulated, device or device-small"),
    };

    private static bool IsCuda(string name) => name.StartsWith(Cuda, StringComparison.Ordinal);

    /// <summary>Whether a backend decides by itself how many threads it has, as GPUs do and what is compiled for them.</summary>
    public static bool HasItsOwnThreads(string name) => name == Emulator && OnDevice;

    private static bool OnDevice => Environment.GetEnvironmentVariable(DeviceVariable) switch
    {
        null or "" or "emulator" => false,
        "device" => true,
        string other => throw new InvalidOperationException($"{DeviceVariable} is '{other}'; it may be emulator or device"),
    };

    /// <summary>Opens a backend by the name that test fixtures carry, where nothing else is asked for with two threads or all of a GPU.</summary>
    public static IBackend Open(string name, int? ofThreads = null)
    {
        int threads = ofThreads ?? 2;
        if (name == "reference") return new ReferenceBackend();
        if (name == Emulator) return new IlgpuBackend(OnDevice ? new DeviceSearch(cpus: true).Open(allowEmulator: false, threads) : IlgpuDevice.OpenEmulator(threads));
        if (name == EmulatorWithTensorCores) return new IlgpuBackend(IlgpuDevice.OpenEmulator(threads, tensorCores: true));
        if (name == Cuda) return new NativeBackend(CudaLibrary, null, ofThreads ?? 0);
        if (name == CudaWithoutWgmma) return new NativeBackend(CudaLibrary, "mma", ofThreads ?? 0);
        string isa = name["cpu/".Length..];
        if (!Supported(isa)) Assert.Ignore($"this processor has no {isa}");
        return new NativeBackend("cpu", isa, threads);
    }

    /// <summary>Asked of the processor itself, not of the library under test.</summary>
    public static bool Supported(string isa) => isa switch
    {
        "avx2" => Avx2.IsSupported && Fma.IsSupported,
        "avx512" => Avx512F.IsSupported && Avx512BW.IsSupported && Avx512DQ.IsSupported && Avx512F.VL.IsSupported,
        "avx512bf16" => Supported("avx512") && (X86Base.CpuId(7, 1).Eax & (1 << 5)) != 0,
        _ => throw new ArgumentOutOfRangeException(nameof(isa), isa, "unknown instruction set"),
    };

    private static IEnumerable<TestFixtureData> Cases(string[] names, DType[] dtypes) =>
        from name in names from dtype in dtypes select new TestFixtureData(name, dtype);
}
