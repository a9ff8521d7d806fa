using ILGPU;
using ILGPU.Algorithms;
using ILGPU.IR;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;
using Luffy.Kernels.Ilgpu.Products;

namespace Luffy.Kernels.Ilgpu;

/// <summary>An accelerator of ILGPU, opened: a device that <see cref="DeviceSearch"/> found, or the emulator.</summary>
internal sealed class IlgpuDevice
{
    // More than this many threads of a group are started only for a kernel that insists on them.
    private const int EmulatedWarp = 32, EmulatedWarps = 8;

    private const int DefaultEmulatorThreads = 4;

    /// <summary>Takes over what was opened.</summary>
    /// <param name="context">Where it comes from.</param>
    /// <param name="accelerator">The device.</param>
    /// <param name="threads">Threads of a group on the emulator.</param>
    public IlgpuDevice(Context context, Accelerator accelerator, int threads)
    {
        (Context, Accelerator) = (context, accelerator);
        IsEmulator = accelerator.AcceleratorType == AcceleratorType.CPU;
        Threads = IsEmulator ? threads : 1;
        HasTensorCores = accelerator is CudaAccelerator { Architecture: var architecture } && architecture >= CudaArchitecture.SM_80;
        ProductSize = IsEmulator ? Products.ProductSize.Emulated : null;
        Description = accelerator switch
        {
            CudaAccelerator cuda => $"ilgpu: {cuda.Name} through {Interface(AcceleratorType.Cuda)}, {cuda.Architecture}, {Memory(accelerator)}",
            CLAccelerator => $"ilgpu: {accelerator.Name} through {Interface(AcceleratorType.OpenCL)}, {Memory(accelerator)}",
            _ => $"ilgpu: emulator of a GPU on the CPU, {Threads} thread{(Threads == 1 ? "" : "s")} a group",
        };
    }

    /// <summary>What the emulator plays.</summary>
    public static CPUDevice EmulatedGpu => new(EmulatedWarp, EmulatedWarps, 1);

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

    /// <summary>The emulator with nothing looked for, as tests want it on every machine.</summary>
    /// <param name="threads">Threads of a group; 0 for the usual few.</param>
    /// <param name="tensorCores">Whether it plays a GPU with tensor cores.</param>
    /// <param name="productSize">The size of tile that products use.</param>
    public static IlgpuDevice OpenEmulator(int threads, bool tensorCores = false, ProductSize productSize = Products.ProductSize.Emulated)
    {
        Context context = CreateContext(builder => builder.CPU(EmulatedGpu));
        return new IlgpuDevice(context, context.Devices[0].CreateAccelerator(context), threads == 0 ? DefaultEmulatorThreads : threads)
        {
            HasTensorCores = tensorCores,
            ProductSize = productSize,
        };
    }

    /// <summary>The emulator among other devices.</summary>
    /// <param name="context">Which has it.</param>
    /// <param name="threads">Threads of a group; 0 for the usual few.</param>
    public static IlgpuDevice OpenEmulated(Context context, int threads)
    {
        Device emulator = context.Devices.Single(device => device.AcceleratorType == AcceleratorType.CPU);
        return new IlgpuDevice(context, emulator.CreateAccelerator(context), threads == 0 ? DefaultEmulatorThreads : Math.Min(threads, EmulatedWarp * EmulatedWarps));
    }

    /// <summary>A compiler as this backend wants it: the same for devices and for compiling without one.</summary>
    public static Context CreateContext(Action<Context.Builder> devices) => Context.Create(builder =>
    {
        devices(builder);
        builder.EnableAlgorithms().Optimize(OptimizationLevel.O2).Inlining(InliningMode.Aggressive);
        DeviceMath.Register(builder.GetIntrinsicManager());
        TensorCore.Register(builder.GetIntrinsicManager());
    });

    /// <summary>What a kind of device is reached through.</summary>
    public static string Interface(AcceleratorType kind) => kind == AcceleratorType.Cuda ? "CUDA" : "OpenCL";

    private static string Memory(Accelerator accelerator) => $"{accelerator.MemorySize / (double)(1 << 30):F0} GiB";
}
