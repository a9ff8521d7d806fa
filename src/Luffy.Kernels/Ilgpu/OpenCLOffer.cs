using ILGPU.Runtime.OpenCL;

namespace Luffy.Kernels.Ilgpu;

/// <summary>What an OpenCL device has of the things that ILGPU 1.5.3 or this backend's kernels need.</summary>
/// <param name="Major">Of the version of OpenCL that it implements.</param>
/// <param name="Minor">Likewise.</param>
/// <param name="GenericAddressSpace">Whether a pointer may be to memory of any kind: a must in OpenCL 2, left to the driver in OpenCL 3.</param>
/// <param name="SharedMemory">Bytes of memory that a group of threads may share.</param>
/// <param name="GroupSize">The most threads of a group.</param>
/// <param name="IsCpu">Whether it is the CPU.</param>
internal readonly record struct OpenCLOffer(int Major, int Minor, bool GenericAddressSpace, long SharedMemory, int GroupSize, bool IsCpu)
{
    private const int NeededSharedMemory = 48 << 10, NeededGroupSize = 256;

    /// <summary>What a device of this machine has.</summary>
    public static OpenCLOffer Of(CLDevice device) => new(device.DeviceVersion.Major, device.DeviceVersion.Minor, device.Capabilities.GenericAddressSpace,
        device.MaxSharedMemoryPerGroup, device.MaxNumThreadsPerGroup, device.DeviceType == CLDeviceType.CL_DEVICE_TYPE_CPU);

    /// <summary>Why such a device cannot be used, or null where it can.</summary>
    /// <param name="cpus">Whether a CPU will do.</param>
    public string? Obstacle(bool cpus) => this switch
    {
        { Major: < 2 } => $"it offers OpenCL {Major}.{Minor}, and ILGPU needs 2.0",
        { GenericAddressSpace: false } => $"it has no generic address space, which OpenCL {Major}.{Minor} leaves to the driver and ILGPU needs",
        { SharedMemory: < NeededSharedMemory } => $"it has {SharedMemory >> 10} KiB of memory for a group of threads to share, and kernels need {NeededSharedMemory >> 10}",
        { GroupSize: < NeededGroupSize } => $"it has groups of at most {GroupSize} threads, and kernels need {NeededGroupSize}",
        { IsCpu: true } when !cpus => "it is a CPU, which the cpu backend uses better",
        _ => null,
    };
}
