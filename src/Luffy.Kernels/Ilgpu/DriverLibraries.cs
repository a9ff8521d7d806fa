using System.Runtime.InteropServices;
using System.Runtime.Loader;
using ILGPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace Luffy.Kernels.Ilgpu;

/// <summary>
/// The drivers' libraries. On Linux ILGPU asks for <c>libcuda.so</c> and <c>libOpenCL.so</c>, names that may come with headers alone; what every
/// machine with a driver has ends in <c>.so.1</c>, and is taken where the shorter name is missing.
/// </summary>
internal static class DriverLibraries
{
    static DriverLibraries() => AssemblyLoadContext.GetLoadContext(typeof(Context).Assembly)!.ResolvingUnmanagedDll += (_, name) =>
        OperatingSystem.IsLinux() && name is CudaAPI.LibNameLinux or CLAPI.LibNameLinux && NativeLibrary.TryLoad($"lib{name}.so.1", out nint library) ? library : 0;

    /// <summary>Whether this machine has NVIDIA's driver.</summary>
    public static bool HasCuda => Has(OperatingSystem.IsWindows() ? CudaAPI.LibNameWindows : CudaAPI.LibNameLinux);

    /// <summary>Whether it has OpenCL's loader, which drivers register with.</summary>
    public static bool HasOpenCL => Has(CLAPI.LibNameLinux);

    // As ILGPU looks for it, which it does once in a process.
    private static bool Has(string name)
    {
        if (!NativeLibrary.TryLoad(name, typeof(Context).Assembly, null, out nint library)) return false;
        NativeLibrary.Free(library);
        return true;
    }
}
