namespace Luffy.Kernels;

/// <summary>
/// One way to compute: memory, transfers and the ten operations. Calls are issued by one thread at a time and take effect in
/// order; on a device they may return before they are done, and <see cref="Download{T}"/> and <see cref="Synchronize"/> wait.
/// </summary>
public interface IBackend : IBackendSizes, IDisposable
{
    /// <summary>One line for people: what it runs on, with which instructions and how many threads.</summary>
    string Description { get; }

    /// <summary>Worker threads, or multiprocessors of a GPU; results do not depend on it.</summary>
    int Threads { get; }

    /// <summary>
    /// True where the log-probability of a token is a pure function of the weights and the tokens before it, to the bit, whatever
    /// the batch, packing, page layout and thread count. Where false, the trainer recomputes the log-probs of sampled tokens.
    /// </summary>
    bool BatchInvariant { get; }

    /// <inheritdoc cref="IEmbedding"/>
    IEmbedding Embedding { get; }

    /// <inheritdoc cref="ILinear"/>
    ILinear Linear { get; }

    /// <inheritdoc cref="IRmsNorm"/>
    IRmsNorm RmsNorm { get; }

    /// <inheritdoc cref="IRope"/>
    IRope Rope { get; }

    /// <inheritdoc cref="IAttention"/>
    IAttention Attention { get; }

    /// <inheritdoc cref="ISwiGlu"/>
    ISwiGlu SwiGlu { get; }

    /// <inheritdoc cref="IColumns"/>
    IColumns Columns { get; }

    /// <inheritdoc cref="IPolicyLoss"/>
    IPolicyLoss PolicyLoss { get; }

    /// <inheritdoc cref="ISampling"/>
    ISampling Sampling { get; }

    /// <inheritdoc cref="IAdamW"/>
    IAdamW AdamW { get; }

    /// <summary>Bytes of the device's own memory that are free now; null where it computes in the host's, or does not tell.</summary>
    long? FreeDeviceBytes { get; }

    bool IBackendSizes.HasDeviceMemory => FreeDeviceBytes is not null;

    long IBackendSizes.PackedBytes(long n, long k, DType dtype) => Linear.PackedBytes(n, k, dtype);

    long IBackendSizes.CacheBytes(long pages, in AttentionShape shape, DType dtype) => Attention.CacheBytes(pages, shape, dtype);

    long IBackendSizes.AttentionBackwardScratchBytes(long tokens, long maxLength, in AttentionShape shape, DType dtype) =>
        Attention.BackwardScratchBytes(tokens, maxLength, shape, dtype);

    long IBackendSizes.PolicyLossScratchBytes(long rows, long hiddenSize, long vocabulary, DType dtype) => PolicyLoss.ScratchBytes(rows, hiddenSize, vocabulary, dtype);

    long IBackendSizes.SamplingScratchBytes(long rows, long vocabulary) => Sampling.ScratchBytes(rows, vocabulary);

    long IBackendSizes.SquaredNormScratchBytes(long n) => AdamW.SquaredNormScratchBytes(n);

    /// <summary>Allocates zeroed memory of this backend. Only at start-up: nothing allocates while training.</summary>
    /// <param name="name">For messages.</param>
    /// <param name="bytes">Size.</param>
    /// <param name="place">Where: what is rarely touched may lie on the host, if this device has memory of its own and reaches the host's too.</param>
    /// <exception cref="LuffyKernelException">There is not that much, or not in that place.</exception>
    DeviceBuffer Allocate(string name, long bytes, MemoryPlace place = MemoryPlace.Device);

    /// <summary>Sets every byte to zero.</summary>
    void Zero(in Tensor tensor);

    /// <summary>
    /// Copies element by element, converting between <see cref="DType.F32"/> and <see cref="DType.Bf16"/> (round to nearest even).
    /// Same length.
    /// </summary>
    void Copy(in Tensor destination, in Tensor source);

    /// <summary>Host to device. <typeparamref name="T"/> is float (F32), ushort (Bf16 bits), int (I32) or byte (U8); same length.</summary>
    void Upload<T>(in Tensor destination, ReadOnlySpan<T> source) where T : unmanaged;

    /// <summary>Device to host, after everything issued before. Same length.</summary>
    void Download<T>(in Tensor source, Span<T> destination) where T : unmanaged;

    /// <summary>Waits for everything issued.</summary>
    void Synchronize();

    /// <summary>
    /// The most floating-point operations a second that this machine does with operands of <paramref name="dtype"/> (F32 or Bf16),
    /// a multiply-add counting as two; measured now, in a fraction of a second. Null where a backend has no such limit to speak of.
    /// </summary>
    double? MeasureArithmetic(DType dtype);

    /// <summary>The most bytes a second that can be read from memory, measured likewise; null likewise.</summary>
    double? MeasureBandwidth();
}
