using ILGPU;
using ILGPU.Runtime;
using Luffy.Kernels.Ilgpu.Products;

namespace Luffy.Kernels.Ilgpu;

/// <summary>
/// One accelerator with its one stream: what the operations of this backend are written against. An operation
/// <list type="number">
/// <item>checks its arguments with the checks that it shares with the reference, and integers with <see cref="Integers"/>,</item>
/// <item>takes views of its tensors with <see cref="View{T}"/>,</item>
/// <item>chooses a launch shape: <see cref="Elements"/>, <see cref="Rows"/>, or groups of its own with <see cref="GroupSize"/>,</item>
/// <item>calls <see cref="Launch{T1}"/>.</item>
/// </list>
/// Kernels are static methods with <see cref="KernelAttribute"/> in a class <c>{Op}Kernels</c>, generic over their storages.
/// </summary>
/// <remarks>
/// What ILGPU 1.5.3 does with a kernel, as far as it matters to who writes one:
/// <list type="bullet">
/// <item>A call of .NET's library that it does not know compiles, to a call of a function that is nowhere: <see cref="DeviceMath"/> has what
/// kernels need. <c>MathF.Sqrt</c>, <c>Abs</c>, <c>float.IsNaN</c> and <c>IntrinsicMath.Min</c> are instructions, correctly rounded.</item>
/// <item>It unrolls no loop, and an array of <c>LocalMemory</c> whose index is not a constant lies in slow memory: what must be in registers is
/// written as locals or fields of a struct.</item>
/// <item>An index of type <c>int</c> is taken for unsigned. One that may pass 2³¹ bytes of elements is a <c>long</c>.</item>
/// <item>A quotient by a power of two is a shift, but a remainder is a division of two dozen instructions: use <see cref="DeviceMath.Modulo"/>.</item>
/// <item>What a loop needs is worked out where it is used, in every round; only what the loop itself carries from round to round is not.</item>
/// <item>Places that differ by a constant are cheapest as views that begin there (<c>SubView</c>): the constant goes into the instruction, while an
/// <c>int</c> sum in an index is worked out in a register of its own.</item>
/// <item>A condition that becomes an integer and then a float, as in <c>(condition ? 1 : 0) * x</c>, is one of the bits 1, which is 1.4e-45: write
/// <c>1f : 0f</c>. A test looks for that number in what was compiled; the emulator computes as C# does.</item>
/// <item>Through OpenCL a comparison in a condition (<c>if (x &lt; 0)</c>) may be true of a NaN: where NaNs matter, ask <c>float.IsNaN</c>.</item>
/// <item>16 bits are loaded with or without their sign, whatever their type: mask them.</item>
/// <item>A struct of four <c>uint</c> is loaded at once (<c>ld.v4</c>); its place must be a multiple of 16 bytes, which <see cref="View{T}"/> checks.</item>
/// <item>Constants of a tile are best a struct with an interface's properties as a type parameter: then the kernel that was compiled without a
/// GPU is the one that runs. A <c>SpecializedValue</c> is known only when a kernel is launched.</item>
/// <item>On the emulator every thread of a group must reach every barrier, an index out of range ends the process, and a group of 32 threads takes
/// some 170 µs a barrier where one of 4 takes 20.</item>
/// </list>
/// </remarks>
internal sealed partial class IlgpuContext : IDisposable
{
    private const string Operation = "backend 'ilgpu'";
    private readonly Context _context;
    private readonly Accelerator _accelerator;
    private readonly AcceleratorStream _stream;
    private readonly Dictionary<Delegate, Delegate> _loaded = [];
    private int[] _downloaded = [];

    /// <summary>Takes over a device that <see cref="IlgpuDevice"/> chose.</summary>
    public IlgpuContext(IlgpuDevice device)
    {
        (_context, _accelerator) = (device.Context, device.Accelerator);
        (IsEmulator, Threads, Description) = (device.IsEmulator, device.Threads, device.Description);
        (HasTensorCores, ProductSize) = (device.HasTensorCores, device.ProductSize);
        _stream = _accelerator.DefaultStream;
        _staging = AllocateStaging();
    }

    /// <summary>True where the host plays a GPU, a thread of the host for each of a group.</summary>
    public bool IsEmulator { get; }

    /// <summary>The most threads of one group on the emulator; 1 on a device, which the host feeds with one thread.</summary>
    public int Threads { get; }

    /// <inheritdoc cref="IlgpuDevice.HasTensorCores"/>
    public bool HasTensorCores { get; }

    /// <inheritdoc cref="IlgpuDevice.ProductSize"/>
    public ProductSize? ProductSize { get; }

    /// <summary>One line for people.</summary>
    public string Description { get; }

    /// <summary>Multiprocessors of the device.</summary>
    public int Multiprocessors => _accelerator.NumMultiprocessors;

    /// <summary>
    /// Threads of a group for a kernel that works with any number of them: <paramref name="wanted"/> on a device, fewer on the emulator, where a
    /// barrier costs some 5 µs a thread. Kernels that go over their work with <c>for (i = Group.IdxX; i &lt; n; i += Group.DimX)</c> and sum with
    /// <see cref="FixedTree"/> give the same bits for both.
    /// </summary>
    public int GroupSize(int wanted) => IsEmulator ? Math.Min(wanted, Threads) : Math.Min(wanted, _accelerator.MaxNumThreadsPerGroup);

    /// <summary>A shape for kernels that loop over n elements with the whole grid as their stride (<see cref="GridStride"/>).</summary>
    public KernelConfig Elements(long n)
    {
        const int threads = 256, elementsOfThread = 4, groupsOfMultiprocessor = 8;
        if (n == 0) return new KernelConfig(0, 1);
        int group = GroupSize(threads);
        long enough = (n + ((long)group * elementsOfThread) - 1) / ((long)group * elementsOfThread);
        return new KernelConfig((int)Math.Min(enough, IsEmulator ? 1 : (long)Multiprocessors * groupsOfMultiprocessor), group);
    }

    /// <summary>A shape of one group for each row, whose threads share the row's elements. The row is Grid.IdxX.</summary>
    public KernelConfig Rows(long rows, int wantedThreads = FixedTree.Lanes) => new(checked((int)rows), GroupSize(wantedThreads));

    /// <summary>
    /// A shape for rows of independent elements: row Grid.IdxX, and a row's elements from (Grid.IdxY · Group.DimX) + Group.IdxX in steps of
    /// Grid.DimY · Group.DimX. A device has as many groups a row as keep it busy with few rows.
    /// </summary>
    public KernelConfig RowElements(long rows, long width)
    {
        const int threads = 256, elementsOfThread = 4;
        int group = GroupSize(threads);
        long groups = IsEmulator ? 1 : Math.Clamp((width + ((long)group * elementsOfThread) - 1) / ((long)group * elementsOfThread), 1, ushort.MaxValue);
        return new KernelConfig(new Index3D(checked((int)rows), (int)groups, 1), new Index3D(group, 1, 1));
    }

    /// <summary>A tensor's elements, for a kernel.</summary>
    /// <typeparam name="T">Its storage, <see cref="int"/>, or any struct whose size divides the tensor's place and bytes.</typeparam>
    /// <exception cref="LuffyKernelException">The tensor lives in another backend's memory.</exception>
    public ArrayView<T> View<T>(in Tensor tensor) where T : unmanaged =>
        Buffer(tensor).Elements<T>(tensor.ByteOffset, tensor.Bytes / Interop.SizeOf<T>());

    /// <summary>Whether every row of a tensor begins at a multiple of so many bytes, as kernels ask that read or write so many at once.</summary>
    public bool HasAlignedRows(in Tensor tensor, int bytes) =>
        Buffer(tensor).IsAligned(tensor.ByteOffset, bytes) && tensor.RowLength * tensor.DType.Size() % bytes == 0;

    /// <summary>
    /// A tensor's integers on the host: those that were uploaded, without waiting for the device, or else downloaded. They stay as they are
    /// until the next call.
    /// </summary>
    public ReadOnlySpan<int> Integers(in Tensor tensor)
    {
        if (Buffer(tensor).Integers.TryFind(tensor.ByteOffset, tensor.Length, out ReadOnlySpan<int> known)) return known;
        if (_downloaded.Length < tensor.Length) _downloaded = new int[tensor.Length];
        Span<int> values = _downloaded.AsSpan(0, (int)tensor.Length);
        Download(tensor, values);
        return values;
    }

    /// <summary>A kernel writes integers to this tensor, so what was uploaded there no longer holds.</summary>
    public void Overwrites(in Tensor integers) => Buffer(integers).Integers.Forget(integers.ByteOffset, integers.Bytes);

    /// <summary>Refuses tensors of another backend, before anything is touched. Absent ones pass.</summary>
    /// <exception cref="LuffyKernelException">One lives in another backend's memory.</exception>
    public void CheckOwn(params ReadOnlySpan<Tensor> tensors)
    {
        foreach (ref readonly Tensor tensor in tensors)
        {
            if (tensor.Exists) Buffer(tensor);
        }
    }

    /// <summary>Bytes of the host that this holds for good.</summary>
    public long WorkspaceBytes => StagingBytes + (4L * _downloaded.Length);

    /// <summary>Waits for everything issued.</summary>
    public void Synchronize() => Guard("Synchronize", () => _stream.Synchronize());

    /// <summary>Raw memory of the device.</summary>
    /// <exception cref="LuffyKernelException">There is not enough.</exception>
    public MemoryBuffer AllocateMemory(string name, long bytes)
    {
        try
        {
            return _accelerator.AllocateRaw(bytes, 1);
        }
        catch (Exception exception) when (IsDeviceFailure(exception) || exception is OutOfMemoryException)
        {
            throw new LuffyKernelException(Operation, $"no {bytes} bytes for '{name}' on {Description}: {exception.Message}", exception);
        }
    }

    /// <summary>Sets all of it to zero.</summary>
    public void ZeroMemory(MemoryBuffer memory) => memory.MemSet(_stream, 0, 0, memory.LengthInBytes);

    /// <inheritdoc/>
    public void Dispose()
    {
        _staging.Dispose();
        _accelerator.Dispose();
        _context.Dispose();
    }

    private IlgpuBuffer Buffer(in Tensor tensor) => tensor.Buffer is IlgpuBuffer buffer && buffer.Context == this
        ? buffer
        : throw new LuffyKernelException(Operation, $"{tensor} in '{tensor.Buffer.Name}' is memory of another backend");

    private Delegate Loaded(Delegate kernel, Func<Accelerator, Delegate, Delegate> load)
    {
        if (_loaded.TryGetValue(kernel, out Delegate? launcher)) return launcher;
        string name = KernelRegistry.Name(kernel.Method);
        if (!KernelRegistry.All.ContainsKey(name))
            throw new LuffyKernelException($"kernel {name}", "is not registered: mark its method with [Kernel], and list its types there");
        try
        {
            launcher = load(_accelerator, kernel);
        }
        catch (Exception exception)
        {
            throw new LuffyKernelException($"kernel {name}", $"cannot be compiled for {Description}: {exception.Message}", exception);
        }

        _loaded.Add(kernel, launcher);
        return launcher;
    }

    private static bool IsEmpty(in KernelConfig shape) => shape.GridDim.X == 0 || shape.GridDim.Y == 0 || shape.GridDim.Z == 0;

    private static bool IsDeviceFailure(Exception exception) => exception is AcceleratorException or NotSupportedException;

    private LuffyKernelException LaunchFailure(Delegate kernel, Exception exception) =>
        new($"kernel {KernelRegistry.Name(kernel.Method)}", $"failed on {Description}: {exception.Message}", exception);

    private void Guard(string operation, Action action)
    {
        try
        {
            action();
        }
        catch (Exception exception) when (IsDeviceFailure(exception))
        {
            throw new LuffyKernelException(operation, $"{Description} failed, perhaps in a kernel issued before: {exception.Message}", exception);
        }
    }
}
