using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace Luffy.Kernels.Ilgpu;

/// <summary>Looks through the devices that ILGPU finds, best first, for one to open: CUDA's, then OpenCL's, then the emulator where that is allowed.</summary>
/// <param name="cpus">Whether a CPU that offers OpenCL will do.</param>
internal sealed class DeviceSearch(bool cpus)
{
    private const string Operation = "backend 'ilgpu'";

    // What Linux has where there is a GPU: NVIDIA's, others' through the kernel's graphics, AMD's for computing, and Windows' own below it.
    private static readonly (string Folder, string Pattern)[] GpuNodes = [("/dev", "nvidia*"), ("/dev/dri", "render*"), ("/dev", "kfd"), ("/dev", "dxg")];

    private readonly List<DeviceProbe> _devices = [];

    /// <summary>Every device that was found, with the reason why it is not used; but for the emulator, which is always there.</summary>
    public IReadOnlyList<DeviceProbe> Devices => _devices;

    /// <summary>Opens the best device.</summary>
    /// <param name="allowEmulator">Whether the emulator will do.</param>
    /// <param name="threads">Threads of a group on the emulator; 0 for the usual few.</param>
    /// <exception cref="LuffyKernelException">There is none; the message says of each kind why not.</exception>
    public IlgpuDevice Open(bool allowEmulator, int threads)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        // A driver for OpenCL may bring a compiler of some sixty megabytes along, which who did not ask for it is to be spared where there is no GPU.
        if (!cpus && !allowEmulator && !MayHaveGpu) throw new LuffyKernelException(Operation, "the system shows no GPU");
        // Asked before ILGPU looks, which it does once in a process. What suits is judged here and not by ILGPU's own filters, which give no reason.
        (bool cuda, bool openCL) = (DriverLibraries.HasCuda, DriverLibraries.HasOpenCL);
        Context context = IlgpuDevice.CreateContext(builder => builder.Cuda((CudaDevice _) => true).OpenCL(_ => true).CPU(IlgpuDevice.EmulatedGpu));
        Accelerator? opened = null;
        _devices.Clear();
        Look(context, AcceleratorType.Cuda, ref opened);
        Look(context, AcceleratorType.OpenCL, ref opened);
        if (opened is not null) return new IlgpuDevice(context, opened, threads);
        if (allowEmulator) return IlgpuDevice.OpenEmulated(context, threads);
        string[] reasons =
        [
            .. Nothing(context, AcceleratorType.Cuda, "NVIDIA's driver", cuda),
            .. Nothing(context, AcceleratorType.OpenCL, "OpenCL", openCL),
            .. _devices.Select(device => $"{device.Name} cannot be used because {device.Detail}"),
        ];
        context.Dispose();
        throw new LuffyKernelException(Operation,
            $"{string.Join(", ", reasons)}; what is left is an emulator of a GPU on the CPU, a thousand times slower than the cpu backend: ask for it with --allow-emulator");
    }

    private static bool MayHaveGpu =>
        !OperatingSystem.IsLinux() || GpuNodes.Any(node => Directory.Exists(node.Folder) && Directory.EnumerateFileSystemEntries(node.Folder, node.Pattern).Any());

    private static IEnumerable<string> Nothing(Context context, AcceleratorType kind, string driver, bool installed) =>
        context.Devices.Any(device => device.AcceleratorType == kind) ? [] : [installed ? $"{driver} has no device for ILGPU" : $"{driver} is not installed"];

    private void Look(Context context, AcceleratorType kind, ref Accelerator? opened)
    {
        foreach (Device device in context.Devices.Where(device => device.AcceleratorType == kind))
        {
            string? reason = Obstacle(device) ?? (opened is null ? TryOpen(context, device, out opened) : $"{opened.Name} comes before it");
            string title = $"{device.Name} through {IlgpuDevice.Interface(kind)}";
            _devices.Add(reason is null ? new DeviceProbe(title, true, Advantage(device)) : new DeviceProbe(title, false, reason));
        }
    }

    private string? Obstacle(Device device) => device switch
    {
        CudaDevice { InstructionSet: null } => "its driver reads no PTX that ILGPU writes",
        CLDevice openCL => OpenCLOffer.Of(openCL).Obstacle(cpus),
        _ => null,
    };

    private static string Advantage(Device device) =>
        device is CLDevice { DeviceType: CLDeviceType.CL_DEVICE_TYPE_CPU } ? "it is a CPU, so it has to be asked for with --backend ilgpu" : "the first that works";

    private static string? TryOpen(Context context, Device device, out Accelerator? opened)
    {
        opened = null;
        try
        {
            opened = device.CreateAccelerator(context);
            return null;
        }
        catch (Exception exception) when (exception is AcceleratorException or CapabilityNotSupportedException or NotSupportedException or DllNotFoundException)
        {
            return $"it cannot be opened: {exception.Message}";
        }
    }
}
