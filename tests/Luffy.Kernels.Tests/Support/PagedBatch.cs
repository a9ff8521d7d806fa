namespace Luffy.Kernels.Tests;

/// <summary>Packed sequences fed through a paged cache a few tokens at a time, with pages in an arbitrary order.</summary>
public sealed class PagedBatch
{
    private readonly Lab _lab;
    private readonly DType _dtype;
    private readonly AttentionShape _shape;
    private readonly Tensor _qkv;
    private readonly int[] _lengths;
    private readonly int _pagesEach;
    private readonly int _pages;
    private readonly Tensor _cache;
    private int[] _table;

    public PagedBatch(Lab lab, DType dtype, AttentionShape shape, Tensor qkv, int[] lengths, int seed)
    {
        (_lab, _dtype, _shape, _qkv, _lengths) = (lab, dtype, shape, qkv, lengths);
        _pagesEach = (lengths.Max() + IAttention.PageSize - 1) / IAttention.PageSize;
        // Twice as many pages as needed: the other half is garbage, and the target of copies.
        _pages = 2 * _pagesEach * lengths.Length;
        int[] order = [.. Enumerable.Range(0, _pages)];
        new Random(seed).Shuffle(order);
        _table = order[..(_pages / 2)];
        _cache = lab.Scratch(lab.Backend.Attention.CacheBytes(_pages, shape, dtype));
    }

    /// <summary>Stores and attends the tokens done … done + chunk − 1 of every sequence that has them, in one call.</summary>
    public void Advance(float[] y, int done, int chunk)
    {
        List<int> tokens = [], slots = [], starts = [0], contexts = [], rows = [];
        for (int s = 0, start = 0; s < _lengths.Length; start += _lengths[s++])
        {
            int end = Math.Min(done + chunk, _lengths[s]);
            if (end <= done) continue;
            for (int i = done; i < end; i++)
            {
                tokens.Add(start + i);
                slots.Add((Page(s, i) * IAttention.PageSize) + (i % IAttention.PageSize));
            }

            starts.Add(tokens.Count);
            contexts.Add(end);
            rows.AddRange(_table.AsSpan(s * _pagesEach, _pagesEach));
        }

        Tensor part = Gather(tokens);
        _lab.Backend.Attention.StoreKeyValue(_cache, part, _lab.Ints([.. slots]), _pages, _shape);
        Attend(y, part, tokens, starts, contexts, rows);
    }

    /// <summary>Copies every page to an unused one and uses the copies from then on.</summary>
    public void MoveToFreshPages()
    {
        int[] used = _table, fresh = [.. Enumerable.Range(0, _pages).Except(used)];
        int[] pairs = [.. used.Zip(fresh).SelectMany(pair => (int[])[pair.First, pair.Second])];
        _lab.Backend.Attention.CopyPages(_cache, _lab.Ints(pairs, used.Length, 2), _pages, _shape, _dtype);
        _table = fresh;
    }

    /// <summary>Attends all tokens to what the cache holds.</summary>
    public void Read(float[] y)
    {
        List<int> tokens = [.. Enumerable.Range(0, _lengths.Sum())], starts = [0];
        foreach (int length in _lengths) starts.Add(starts[^1] + length);
        Attend(y, _qkv, tokens, starts, [.. _lengths], [.. _table]);
    }

    private void Attend(float[] y, in Tensor part, List<int> tokens, List<int> starts, List<int> contexts, List<int> rows)
    {
        int width = _shape.Heads * _shape.HeadDim;
        Tensor result = _lab.Output(_dtype, tokens.Count, _shape.Heads, _shape.HeadDim);
        _lab.Backend.Attention.ForwardPaged(result, part, _cache, _lab.Ints([.. rows], contexts.Count, _pagesEach), _lab.Ints([.. starts]),
            _lab.Ints([.. contexts]), _pages, _shape);
        float[] values = _lab.Read(result);
        for (int i = 0; i < tokens.Count; i++) Array.Copy(values, i * width, y, tokens[i] * width, width);
    }

    private Tensor Gather(List<int> tokens)
    {
        Tensor part = _lab.Output(_dtype, tokens.Count, _shape.PackedHeads, _shape.HeadDim);
        _lab.Backend.Embedding.Forward(part.Reshape(tokens.Count, part.RowLength), new LinearWeight(_qkv.Reshape(_qkv.D0, _qkv.RowLength)), _lab.Ints([.. tokens]));
        return part;
    }

    private int Page(int sequence, int index) => _table[(sequence * _pagesEach) + (index / IAttention.PageSize)];
}
