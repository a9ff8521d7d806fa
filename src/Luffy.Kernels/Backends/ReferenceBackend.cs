namespace Luffy.Kernels;

/// <summary>
/// Plain scalar C# on one thread: the specification that every other backend is compared with. Right and slow; it runs anywhere .NET
/// does.
/// </summary>
public sealed class ReferenceBackend : IBackend
{
    private readonly LinearReference _linear = new();
    private readonly AttentionReference _attention = new();
    private readonly PolicyLossReference _policyLoss = new();

    /// <inheritdoc/>
    public string Name => "reference";

    /// <inheritdoc/>
    public string Description => "reference: scalar C#, 1 thread";

    /// <inheritdoc/>
    public int Threads => 1;

    /// <inheritdoc/>
    public bool BatchInvariant => true;

    /// <inheritdoc/>
    public DType PreferredDType => DType.F32;

    /// <inheritdoc/>
    public long WorkspaceBytes => _linear.WorkspaceBytes + _attention.WorkspaceBytes + _policyLoss.WorkspaceBytes;

    /// <inheritdoc/>
    public IEmbedding Embedding { get; } = new EmbeddingReference();

    /// <inheritdoc/>
    public ILinear Linear => _linear;

    /// <inheritdoc/>
    public IRmsNorm RmsNorm { get; } = new RmsNormReference();

    /// <inheritdoc/>
    public IRope Rope { get; } = new RopeReference();

    /// <inheritdoc/>
    public IAttention Attention => _attention;

    /// <inheritdoc/>
    public ISwiGlu SwiGlu { get; } = new SwiGluReference();

    /// <inheritdoc/>
    public IColumns Columns { get; } = new ColumnsReference();

    /// <inheritdoc/>
    public IPolicyLoss PolicyLoss => _policyLoss;

    /// <inheritdoc/>
    public ISampling Sampling { get; } = new SamplingReference();

    /// <inheritdoc/>
    public IAdamW AdamW { get; } = new AdamWReference();

    /// <inheritdoc/>
    public long? FreeDeviceBytes => null;

    /// <inheritdoc/>
    public DeviceBuffer Allocate(string name, long bytes, MemoryPlace place = MemoryPlace.Device) => place == MemoryPlace.Device
        ? new HostBuffer(name, bytes)
        : throw new LuffyKernelException($"Allocate '{name}'", "the reference computes in the host's memory: nothing can be moved there");

    /// <inheritdoc/>
    public void Zero(in Tensor tensor)
    {
        switch (tensor.DType)
        {
            case DType.F32: tensor.AsSpan<float>().Clear(); break;
            case DType.Bf16: tensor.AsSpan<ushort>().Clear(); break;
            case DType.I32: tensor.AsSpan<int>().Clear(); break;
            default: tensor.AsSpan<byte>().Clear(); break;
        }
    }

    /// <inheritdoc/>
    public void Copy(in Tensor destination, in Tensor source)
    {
        Checks.Copy(destination, source);
        switch (destination.DType)
        {
            case DType.I32: source.AsSpan<int>().CopyTo(destination.AsSpan<int>()); break;
            case DType.U8: source.AsSpan<byte>().CopyTo(destination.AsSpan<byte>()); break;
            default:
                FloatSpan to = new(destination), from = new(source);
                for (int i = 0; i < to.Length; i++) to[i] = from[i];
                break;
        }
    }

    /// <inheritdoc/>
    public void Upload<T>(in Tensor destination, ReadOnlySpan<T> source) where T : unmanaged
    {
        HostTypes.Check<T>("Upload", destination, source.Length);
        source.CopyTo(destination.AsSpan<T>());
    }

    /// <inheritdoc/>
    public void Download<T>(in Tensor source, Span<T> destination) where T : unmanaged
    {
        HostTypes.Check<T>("Download", source, destination.Length);
        source.AsSpan<T>().CopyTo(destination);
    }

    /// <inheritdoc/>
    public void Synchronize()
    {
        // Every call is done when it returns.
    }

    /// <inheritdoc/>
    public double? MeasureArithmetic(DType dtype) => null;

    /// <inheritdoc/>
    public double? MeasureBandwidth() => null;

    /// <inheritdoc/>
    public void Dispose()
    {
        // Buffers belong to who allocated them; the backend itself holds managed memory only.
    }
}
