using Luffy.Kernels;
using Luffy.Kernels.Native;

namespace Luffy.Engine.Tests;

/// <summary>The reference, CUDA's kernels on their emulation, and the cpu backend with every instruction set that this machine has.</summary>
public static class TestBackends
{
    /// <summary>The kernels for NVIDIA's GPUs, compiled for the CPU: every thread of a block a fiber.</summary>
    public const string Cuda = "cuda-emulated";

    private const string Cpu = "cpu-";

    /// <summary><c>reference</c>, <c>cpu-avx2</c> and so on.</summary>
    public static IReadOnlyList<string> Names { get; } = ["reference", Cuda, .. Backends.CpuIsas.Where(HasIsa).Select(isa => Cpu + isa)];

    public static IBackend Create(string name, int threads = 2) => name == Cuda ? new NativeBackend("cuda_emulated", threads: threads) : name.StartsWith(Cpu, StringComparison.Ordinal)
        ? Backends.Create(new BackendOptions { Name = "cpu", Isa = name[Cpu.Length..], Threads = threads })
        : Backends.Create(new BackendOptions { Name = name });

    // Only an instruction set that the processor lacks is left out; a library that is missing or broken fails every test that wants it.
    private static bool HasIsa(string isa)
    {
        try
        {
            using IBackend backend = Create(Cpu + isa);
            return true;
        }
        catch (LuffyKernelException e)
        {
            return !e.Message.Contains("processor lacks", StringComparison.Ordinal);
        }
    }
}
