using ILGPU;
using ILGPU.Algorithms;
using ILGPU.IR;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;
using Luffy.Kernels.Ilgpu.Products;

namespace Luffy.Kernels.Ilgpu;

/// <summary>An accelerator that ILGPU found, opened: a CUDA device, else an OpenCL device, else the emulator where that is allowed.</summary>
internal sealed class IlgpuDevice
{
    private const string Operation = "backend 'ilgpu'";

    // More than this many threads of a group are started only for a kernel that insists on them.
    private const int EmulatedWarp = 32, EmulatedWarps = 8;

    private const int DefaultEmulatorThreads = 4;

    private IlgpuDevice(Context context, Accelerator accelerator, int threads)
    {
        (Context, Accelerator) = (context, accelerator);
        IsEmulator = accelerator.AcceleratorType == AcceleratorType.CPU;
        Threads = IsEmulator ? threads : 1;
        HasTensorCores = accelerator is CudaAccelerator { Architecture: var architecture } && architecture >= CudaArchitecture.SM_80;
        ProductSize = IsEmulator ? Products.ProductSize.Emulated : null;
        Description = accelerator switch
        {
            CudaAccelerator cuda => $"ilgpu: {cuda.Name} through CUDA, {cuda.Architecture}, {Memory(accelerator)}",
            CLAccelerator => $"ilgpu: {accelerator.Name} through OpenCL, {Memory(accelerator)}",
            _ => $"ilgpu: emulator of a GPU on the CPU, {Threads} thread{(Threads == 1 ? "" : "s")} a group",
        };
    }

    /// <summary>ILGPU's compiler.</summary>
    public Context Context { get; }

    /// <summary>The device.</summary>
    public Accelerator Accelerator { get; }

    /// <summary>True where the host plays a GPU.</summary>
    public bool IsEmulator { get; }

    /// <summary>The most threads of a group on the emulator; 1 on a device.</summary>
    public int Threads { get; }

    /// <summary>
    /// Whether products of bf16 matrices are those of <see cref="TensorCore"/>, all of them: a product has other bits without.
    /// </summary>
    public bool HasTensorCores { get; private init; }

    /// <summary>The one size of tile that products are to use; otherwise each takes what suits it.</summary>
    public ProductSize? ProductSize { get; private init; }

    /// <summary>One line for people.</summary>
    public string Description { get; }

    /// <summary>Opens the best device there is.</summary>
    /// <param name="cpus">Whether a CPU that offers OpenCL will do.</param>
    /// <param name="allowEmulator">Whether the emulator will do.</param>
    /// <param name="threads">Threads of a group on the emulator; 0 for the usual few.</param>
    /// <exception cref="LuffyKernelException">There is none; the message says of each kind why not.</exception>
    public static IlgpuDevice Open(bool cpus, bool allowEmulator, int threads)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        Context context = CreateContext(builder => builder.Cuda().OpenCL().CPU(new CPUDevice(EmulatedWarp, EmulatedWarps, 1)));
        List<string> reasons = [];
        foreach (AcceleratorType kind in (AcceleratorType[])[AcceleratorType.Cuda, AcceleratorType.OpenCL])
        {
            Device[] devices = [.. context.Devices.Where(device => device.AcceleratorType == kind)];
            if (devices.Length == 0) reasons.Add($"ILGPU finds no {Name(kind)} device");
            foreach (Device device in devices)
            {
                if (!cpus && device is CLDevice { DeviceType: CLDeviceType.CL_DEVICE_TYPE_CPU })
                {
                    reasons.Add($"{device.Name} is a CPU, which the cpu backend uses better");
                    continue;
                }

                try
                {
                    return new IlgpuDevice(context, device.CreateAccelerator(context), threads);
                }
                catch (Exception exception) when (exception is AcceleratorException or NotSupportedException or DllNotFoundException)
                {
                    reasons.Add($"{device.Name} cannot be opened through {Name(kind)}: {exception.Message}");
                }
            }
        }

        if (allowEmulator)
        {
            Device emulator = context.Devices.Single(device => device.AcceleratorType == AcceleratorType.CPU);
            return new IlgpuDevice(context, emulator.CreateAccelerator(context), threads == 0 ? DefaultEmulatorThreads : Math.Min(threads, EmulatedWarp * EmulatedWarps));
        }

        context.Dispose();
        throw new LuffyKernelException(Operation,
            $"{string.Join(", ", reasons)}; what is left is an emulator of a GPU on the CPU, a thousand times slower than the cpu backend: ask for it with --allow-emulator");
    }

    /// <summary>The emulator with nothing looked for, as tests want it on every machine.</summary>
    /// <param name="threads">Threads of a group; 0 for the usual few.</param>
    /// <param name="tensorCores">Whether it plays a GPU with tensor cores.</param>
    /// <param name="productSize">The size of tile that products use.</param>
    public static IlgpuDevice OpenEmulator(int threads, bool tensorCores = false, ProductSize productSize = Products.ProductSize.Emulated)
    {
        Context context = CreateContext(builder => builder.CPU(new CPUDevice(EmulatedWarp, EmulatedWarps, 1)));
        return new IlgpuDevice(context, context.Devices[0].CreateAccelerator(context), threads == 0 ? DefaultEmulatorThreads : threads)
        {
            HasTensorCores = tensorCores,
            ProductSize = productSize,
        };
    }

    /// <summary>A compiler as this backend wants it: the same for devices and for compiling without one.</summary>
    public static Context CreateContext(Action<Context.Builder> devices) => Context.Create(builder =>
    {
        devices(builder);
        builder.EnableAlgorithms().Optimize(OptimizationLevel.O2).Inlining(InliningMode.Aggressive);
        DeviceMath.Register(builder.GetIntrinsicManager());
        TensorCore.Register(builder.GetIntrinsicManager());
    });

    private static string Name(AcceleratorType kind) => kind == AcceleratorType.Cuda ? "CUDA" : "OpenCL";

    private static string Memory(Accelerator accelerator) => $"{accelerator.MemorySize / (double)(1 << 30):F0} GiB";
}
