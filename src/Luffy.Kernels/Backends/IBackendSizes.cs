namespace Luffy.Kernels;

/// <summary>
/// What a backend needs of memory, each a pure function of shapes: enough to plan a run, for which nothing is computed. Every
/// <see cref="IBackend"/> tells its own, and <see cref="CudaSizes"/> those of a GPU that is not here.
/// </summary>
public interface IBackendSizes
{
    /// <summary>The name that <c>--backend</c> takes: <c>reference</c>, <c>cpu</c>, <c>ilgpu</c>, <c>cuda</c>.</summary>
    string Name { get; }

    /// <summary>The storage type that <c>--dtype auto</c> chooses: the fastest that trains well.</summary>
    DType PreferredDType { get; }

    /// <summary>Bytes that the backend itself holds (per-thread workspaces).</summary>
    long WorkspaceBytes { get; }

    /// <summary>Whether it computes in memory of a device's own, so that something may also lie in the host's.</summary>
    bool HasDeviceMemory { get; }

    /// <inheritdoc cref="ILinear.PackedBytes"/>
    long PackedBytes(long n, long k, DType dtype);

    /// <inheritdoc cref="IAttention.CacheBytes"/>
    long CacheBytes(long pages, in AttentionShape shape, DType dtype);

    /// <inheritdoc cref="IAttention.BackwardScratchBytes"/>
    long AttentionBackwardScratchBytes(long tokens, long maxLength, in AttentionShape shape, DType dtype);

    /// <inheritdoc cref="IPolicyLoss.ScratchBytes"/>
    long PolicyLossScratchBytes(long rows, long hiddenSize, long vocabulary, DType dtype);

    /// <inheritdoc cref="ISampling.ScratchBytes"/>
    long SamplingScratchBytes(long rows, long vocabulary);

    /// <inheritdoc cref="IAdamW.SquaredNormScratchBytes"/>
    long SquaredNormScratchBytes(long n);
}
