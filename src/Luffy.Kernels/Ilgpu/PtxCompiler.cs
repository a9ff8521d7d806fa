using System.Reflection;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace Luffy.Kernels.Ilgpu;

/// <summary>
/// Kernels as PTX for a chosen architecture, without a GPU: what the launcher would hand to NVIDIA's driver. Tests compile every kernel so.
/// </summary>
internal sealed class PtxCompiler : IDisposable
{
    private readonly Context _context = IlgpuDevice.CreateContext(_ => { });
    private readonly PTXBackend _backend;

    /// <summary>A compiler for compute capability <paramref name="major"/>.<paramref name="minor"/>, in PTX that every driver since CUDA 12.0 reads.</summary>
    public PtxCompiler(int major, int minor)
    {
        CudaArchitecture architecture = new(major, minor);
        _backend = new PTXBackend(_context, new CudaCapabilityContext(architecture), architecture, CudaInstructionSet.ISA_80, null);
    }

    /// <summary>The text of one kernel.</summary>
    public string Compile(MethodInfo kernel) =>
        ((PTXCompiledKernel)_backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(kernel), KernelRegistry.Specialization(kernel))).PTXAssembly;

    /// <inheritdoc/>
    public void Dispose()
    {
        _backend.Dispose();
        _context.Dispose();
    }
}
