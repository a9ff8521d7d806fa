namespace Luffy.Kernels;

/// <summary>
/// The sizes of the cuda backend where there is no GPU and no library for one: the formulas of <c>native/cuda</c> once more. A test holds them
/// against that library, which tells the same on its emulation.
/// </summary>
public sealed class CudaSizes : IBackendSizes
{
    private const int VocabularyBlock = 128;
    // Sums of a block of the vocabulary, and what the loss keeps of a row.
    private const long BlockSums = 16, RowTerms = 32;
    private const long LossStore = 1L << 30, LossRows = 128;
    // Blocks that one warp draws from; what is drawn from them, and what a filter keeps of a row.
    private const long WarpBlocks = 4, DrawnToken = 8, KeptTokens = 16;
    private const long NormBlock = 4096;

    /// <inheritdoc/>
    public string Name => "cuda";

    /// <inheritdoc/>
    public DType PreferredDType => DType.Bf16;

    /// <inheritdoc/>
    public long WorkspaceBytes => 64L << 20;

    /// <inheritdoc/>
    public bool HasDeviceMemory => true;

    /// <inheritdoc/>
    public long PackedBytes(long n, long k, DType dtype) => n * k * dtype.Size();

    /// <inheritdoc/>
    public long CacheBytes(long pages, in AttentionShape shape, DType dtype) =>
        pages * 2 * shape.KeyValueHeads * IAttention.PageSize * shape.HeadDim * dtype.Size();

    /// <inheritdoc/>
    public long AttentionBackwardScratchBytes(long tokens, long maxLength, in AttentionShape shape, DType dtype) => 2 * tokens * shape.Heads * sizeof(float);

    /// <inheritdoc/>
    public long PolicyLossScratchBytes(long rows, long hiddenSize, long vocabulary, DType dtype)
    {
        long stride = Multiple(vocabulary, 64), fitting = LossStore / (stride * dtype.Size()) / LossRows * LossRows;
        long chunk = Math.Min(rows, Math.Max(fitting, LossRows));
        return Multiple(chunk * stride * dtype.Size(), 256) + Multiple(chunk * Blocks(vocabulary) * BlockSums, 256) + Multiple(chunk * sizeof(float), 256) + Multiple(chunk * RowTerms, 256);
    }

    /// <inheritdoc/>
    public long SamplingScratchBytes(long rows, long vocabulary)
    {
        long blocks = Blocks(vocabulary), ranges = (blocks + WarpBlocks - 1) / WarpBlocks;
        return (2 * rows * blocks * BlockSums) + Multiple(rows * ranges * DrawnToken, 16) + (rows * KeptTokens) + Multiple(rows * blocks * sizeof(int), 16);
    }

    /// <inheritdoc/>
    public long SquaredNormScratchBytes(long n) => (n + NormBlock - 1) / NormBlock * sizeof(double);

    private static long Blocks(long vocabulary) => (vocabulary + VocabularyBlock - 1) / VocabularyBlock;

    private static long Multiple(long bytes, long of) => (bytes + of - 1) / of * of;
}
