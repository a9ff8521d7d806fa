namespace Luffy.Kernels.Native;

/// <summary>
/// The one adapter for every library that implements <c>native/include/luffy_kernels.h</c>. It translates; checks of shapes, dtypes and
/// values are the library's, which alone can read a device's memory.
/// </summary>
public sealed unsafe class NativeBackend : IBackend
{
    private readonly NativeContext _context;

    /// <summary>Loads libluffy_{name} and makes a context.</summary>
    /// <param name="name">cpu or cuda.</param>
    /// <param name="isa">Instructions to use (of cuda: mma or wgmma, for products), or null for the best that the machine has.</param>
    /// <param name="threads">Worker threads; 0 for one for each available core.</param>
    /// <param name="fast">Gives batch invariance up where the library is faster without.</param>
    /// <exception cref="LuffyKernelException">The library is missing or cannot run here; the message says why.</exception>
    public NativeBackend(string name, string? isa = null, int threads = 0, bool fast = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        Name = name;
        _context = new NativeContext(name, isa, threads, fast);
        Embedding = new NativeEmbedding(_context);
        Linear = new NativeLinear(_context);
        RmsNorm = new NativeRmsNorm(_context);
        Rope = new NativeRope(_context);
        Attention = new NativeAttention(_context);
        SwiGlu = new NativeSwiGlu(_context);
        Columns = new NativeColumns(_context);
        PolicyLoss = new NativePolicyLoss(_context);
        Sampling = new NativeSampling(_context);
        AdamW = new NativeAdamW(_context);
        Description = _context.Description;
        Threads = _context.Table->Threads(_context.Handle);
        BatchInvariant = _context.Table->BatchInvariant(_context.Handle) != 0;
        PreferredDType = (DType)_context.Table->PreferredDtype(_context.Handle);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public string Description { get; }

    /// <inheritdoc/>
    public int Threads { get; }

    /// <inheritdoc/>
    public bool BatchInvariant { get; }

    /// <inheritdoc/>
    public DType PreferredDType { get; }

    /// <inheritdoc/>
    public long WorkspaceBytes => _context.Table->WorkspaceBytes(_context.Handle);

    /// <inheritdoc/>
    public IEmbedding Embedding { get; }

    /// <inheritdoc/>
    public ILinear Linear { get; }

    /// <inheritdoc/>
    public IRmsNorm RmsNorm { get; }

    /// <inheritdoc/>
    public IRope Rope { get; }

    /// <inheritdoc/>
    public IAttention Attention { get; }

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
    public DeviceBuffer Allocate(string name, long bytes, MemoryPlace place = MemoryPlace.Device) => new NativeBuffer(_context, name, bytes, place);

    /// <inheritdoc/>
    public long? FreeDeviceBytes => _context.Table->FreeBytes(_context.Handle) is >= 0 and var bytes ? bytes : null;

    /// <inheritdoc/>
    public void Zero(in Tensor tensor)
    {
        LfTensor a = _context.Describe(tensor);
        _context.Check("Zero", _context.Table->Zero(_context.Handle, &a));
    }

    /// <inheritdoc/>
    public void Copy(in Tensor destination, in Tensor source)
    {
        LfTensor a = _context.Describe(destination), b = _context.Describe(source);
        _context.Check("Copy", _context.Table->Copy(_context.Handle, &a, &b));
    }

    /// <inheritdoc/>
    public void Upload<T>(in Tensor destination, ReadOnlySpan<T> source) where T : unmanaged
    {
        HostTypes.Check<T>("Upload", destination, source.Length);
        LfTensor a = _context.Describe(destination);
        fixed (T* host = source)
            _context.Check("Upload", _context.Table->Upload(_context.Handle, &a, (nint)host));
    }

    /// <inheritdoc/>
    public void Download<T>(in Tensor source, Span<T> destination) where T : unmanaged
    {
        HostTypes.Check<T>("Download", source, destination.Length);
        LfTensor a = _context.Describe(source);
        fixed (T* host = destination)
            _context.Check("Download", _context.Table->Download(_context.Handle, (nint)host, &a));
    }

    /// <inheritdoc/>
    public void Synchronize() => _context.Check("Synchronize", _context.Table->Synchronize(_context.Handle));

    /// <inheritdoc/>
    public double? MeasureArithmetic(DType dtype)
    {
        double rate = 0;
        _context.Check("MeasureArithmetic", _context.Table->MeasureArithmetic(_context.Handle, (int)dtype, &rate));
        return rate;
    }

    /// <inheritdoc/>
    public double? MeasureBandwidth()
    {
        double rate = 0;
        _context.Check("MeasureBandwidth", _context.Table->MeasureBandwidth(_context.Handle, &rate));
        return rate;
    }

    /// <inheritdoc/>
    public void Dispose() => _context.Dispose();
}
