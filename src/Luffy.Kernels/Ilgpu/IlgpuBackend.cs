namespace Luffy.Kernels.Ilgpu;

/// <summary>
/// Any GPU, through kernels written in C# that ILGPU compiles when they are first used: for NVIDIA through PTX, for others through OpenCL,
/// and for no GPU at all on an emulator, which is for tests. Packed weights are the rows themselves.
/// </summary>
public sealed class IlgpuBackend : IBackend
{
    private readonly IlgpuContext _context;
    private readonly EmbeddingIlgpu _embedding;
    private readonly AttentionIlgpu _attention;

    /// <summary>Opens the best device that there is.</summary>
    /// <param name="asked">Whether this backend was asked for by name: then a CPU that offers OpenCL will do, which is no gain over the cpu backend.</param>
    /// <param name="allowEmulator">Whether the emulator will do where there is none.</param>
    /// <param name="threads">Threads of a group on the emulator; 0 for the usual few. A device takes no notice.</param>
    /// <exception cref="LuffyKernelException">No device can be opened; the message says why.</exception>
    public IlgpuBackend(bool asked, bool allowEmulator, int threads = 0)
        : this(new DeviceSearch(cpus: asked).Open(allowEmulator, threads))
    {
    }

    internal IlgpuBackend(IlgpuDevice device)
    {
        _context = new IlgpuContext(device);
        _embedding = new EmbeddingIlgpu(_context);
        Linear = new LinearIlgpu(_context);
        RmsNorm = new RmsNormIlgpu(_context);
        Rope = new RopeIlgpu(_context);
        _attention = new AttentionIlgpu(_context);
        SwiGlu = new SwiGluIlgpu(_context);
        Columns = new ColumnsIlgpu(_context);
        PolicyLoss = new PolicyLossIlgpu(_context, Linear);
        Sampling = new SamplingIlgpu(_context);
        AdamW = new AdamWIlgpu(_context);
    }

    /// <summary>What the operations are written against.</summary>
    internal IlgpuContext Context => _context;

    /// <summary>Whether it works here if it is asked for, and every device that was found.</summary>
    internal static BackendProbe Probe()
    {
        DeviceSearch search = new(cpus: true);
        try
        {
            using IlgpuBackend backend = new(search.Open(allowEmulator: false, threads: 0));
            return new BackendProbe("ilgpu", true, backend.Description, search.Devices);
        }
        catch (LuffyKernelException exception)
        {
            return new BackendProbe("ilgpu", false, exception.Message, search.Devices);
        }
    }

    /// <inheritdoc/>
    public string Name => "ilgpu";

    /// <inheritdoc/>
    public string Description => _context.Description;

    /// <summary>True where the host plays a GPU: right, and a thousand times slower than the cpu backend.</summary>
    public bool IsEmulator => _context.IsEmulator;

    /// <inheritdoc/>
    public int Threads => _context.Threads;

    /// <inheritdoc/>
    public bool BatchInvariant => true;

    /// <inheritdoc/>
    public DType PreferredDType => _context.IsEmulator ? DType.F32 : DType.Bf16;

    /// <inheritdoc/>
    public long WorkspaceBytes => _context.WorkspaceBytes + _embedding.WorkspaceBytes + _attention.WorkspaceBytes;

    /// <inheritdoc/>
    public IEmbedding Embedding => _embedding;

    /// <inheritdoc/>
    public ILinear Linear { get; }

    /// <inheritdoc/>
    public IRmsNorm RmsNorm { get; }

    /// <inheritdoc/>
    public IRope Rope { get; }

    /// <inheritdoc/>
    public IAttention Attention => _attention;

    /// <inheritdoc/>
    public ISwiGlu SwiGlu { get; }

    /// <inheritdoc/>
    public IColumns Columns { get; }

    /// <inheritdoc/>
    public IPolicyLoss PolicyLoss { get; }

    /// <inheritdoc/>
    public ISampling Sampling { get; }

    /// <inheritdoc/>
    public IAdamW AdamW { get; }

    /// <inheritdoc/>
    public long? FreeDeviceBytes => null;

    /// <inheritdoc/>
    public DeviceBuffer Allocate(string name, long bytes, MemoryPlace place = MemoryPlace.Device) => place == MemoryPlace.Device
        ? new IlgpuBuffer(_context, name, bytes)
        : throw new LuffyKernelException($"Allocate '{name}'", "ILGPU's kernels do not reach the host's memory; only the cuda backend can keep something there");

    /// <inheritdoc/>
    public void Zero(in Tensor tensor) => _context.Zero(tensor);

    /// <inheritdoc/>
    public void Copy(in Tensor destination, in Tensor source)
    {
        Checks.Copy(destination, source);
        _context.Copy(destination, source);
    }

    /// <inheritdoc/>
    public void Upload<T>(in Tensor destination, ReadOnlySpan<T> source) where T : unmanaged
    {
        HostTypes.Check<T>("Upload", destination, source.Length);
        _context.Upload(destination, source);
    }

    /// <inheritdoc/>
    public void Download<T>(in Tensor source, Span<T> destination) where T : unmanaged
    {
        HostTypes.Check<T>("Download", source, destination.Length);
        _context.Download(source, destination);
    }

    /// <inheritdoc/>
    public void Synchronize() => _context.Synchronize();

    /// <inheritdoc/>
    public double? MeasureArithmetic(DType dtype)
    {
        if (dtype is not (DType.F32 or DType.Bf16))
            throw new LuffyKernelException("MeasureArithmetic", $"the dtype must be f32 or bf16, not {dtype.Name()}");
        // How fast the host plays a GPU is no limit of anything.
        if (_context.IsEmulator) return null;
        DevicePeaks peaks = new(_context);
        // Without tensor cores products of bf16 are f32 multiply-adds of what was loaded.
        return dtype == DType.Bf16 && _context.HasTensorCores ? peaks.TensorMultiplyAdds() : peaks.MultiplyAdds();
    }

    /// <inheritdoc/>
    public double? MeasureBandwidth() => _context.IsEmulator ? null : new DevicePeaks(_context).Reads();

    /// <inheritdoc/>
    public void Dispose()
    {
        _embedding.Dispose();
        _attention.Dispose();
        _context.Dispose();
    }

    private static LuffyKernelException Missing(string operation) => new($"backend 'ilgpu', {operation}", "not part of this build yet");
}
