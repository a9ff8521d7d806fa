using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Rollout;

/// <summary>
/// Paged key-value cache of all layers, with a reference count per page so that the samples of a group share their prompt's full pages.
/// Page p means the same tokens in every layer.
/// </summary>
public sealed class KvCache : IDisposable
{
    private readonly IBackend _backend;
    private readonly AttentionShape _shape;
    private readonly DType _dtype;
    private readonly DeviceBuffer _buffer;
    private readonly long _layerBytes;
    private readonly int[] _references;
    private readonly int[] _free;
    private int _freeCount;

    /// <summary>Allocates a cache of <paramref name="pages"/> pages.</summary>
    public KvCache(IBackend backend, TransformerConfig config, DType dtype, int pages)
    {
        (_backend, _dtype, Pages, Layers) = (backend, dtype, pages, config.Layers);
        _shape = ActivationPlan.AttentionOf(config);
        _layerBytes = LayerBytes(backend, config, dtype, pages);
        _buffer = backend.Allocate("key-value cache", _layerBytes * config.Layers);
        _references = new int[pages];
        _free = new int[pages];
        _freeCount = pages;
        // The lowest page is taken first.
        for (int i = 0; i < pages; i++) _free[i] = pages - 1 - i;
    }

    /// <summary>Pages in all.</summary>
    public int Pages { get; }

    /// <summary>Layers.</summary>
    public int Layers { get; }

    /// <summary>Pages that nobody holds.</summary>
    public int FreePages => _freeCount;

    /// <summary>Size of a cache, for the memory plan.</summary>
    public static long Bytes(IBackendSizes backend, TransformerConfig config, DType dtype, int pages) =>
        LayerBytes(backend, config, dtype, pages) * config.Layers;

    /// <summary>Pages that hold <paramref name="tokens"/> tokens.</summary>
    public static int PagesFor(int tokens) => (int)(((long)tokens + IAttention.PageSize - 1) / IAttention.PageSize);

    /// <summary>One layer's cache [bytes] U8.</summary>
    public Tensor Layer(int layer) => _buffer.View(layer * _layerBytes, DType.U8, _layerBytes);

    /// <summary>Takes a free page, with one reference; false where there is none.</summary>
    public bool TryTake(out int page)
    {
        page = _freeCount > 0 ? _free[--_freeCount] : -1;
        if (page >= 0) _references[page] = 1;
        return page >= 0;
    }

    /// <summary>Adds a holder.</summary>
    public void Share(int page) => _references[page]++;

    /// <summary>Takes a holder away; the last one frees the page.</summary>
    public void Release(int page)
    {
        if (--_references[page] == 0) _free[_freeCount++] = page;
    }

    /// <summary>Writes the keys and values of a layer.</summary>
    public void Store(int layer, in Tensor qkv, in Tensor slots) => _backend.Attention.StoreKeyValue(Layer(layer), qkv, slots, Pages, _shape);

    /// <summary>Copies pages in every layer: [n, 2] source and destination.</summary>
    public void CopyPages(in Tensor copies)
    {
        for (int l = 0; l < Layers; l++) _backend.Attention.CopyPages(Layer(l), copies, Pages, _shape, _dtype);
    }

    /// <inheritdoc/>
    public void Dispose() => _buffer.Dispose();

    private static long LayerBytes(IBackendSizes backend, TransformerConfig config, DType dtype, int pages) =>
        (backend.CacheBytes(pages, ActivationPlan.AttentionOf(config), dtype) + 63) / 64 * 64;
}
