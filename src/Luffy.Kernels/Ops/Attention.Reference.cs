using System.Runtime.InteropServices;

namespace Luffy.Kernels;

/// <summary>
/// The specification of <see cref="IAttention"/>: for each query the scores of all its keys in ascending order, a plain two-pass
/// softmax, then the weighted sum of values in ascending order. Packed and paged calls share that one routine, so their bits agree.
/// </summary>
public sealed class AttentionReference : IAttention
{
    private readonly RowBuffer _query = new();
    private readonly RowBuffer _row = new();
    private readonly RowBuffer _sum = new();
    private readonly RowBuffer _scores = new();
    private readonly RowBuffer _upstream = new();

    /// <summary>Bytes of row buffers held.</summary>
    public long WorkspaceBytes => _query.Bytes + _row.Bytes + _sum.Bytes + _scores.Bytes + _upstream.Bytes;

    /// <inheritdoc/>
    public void Forward(in Tensor y, in Tensor logSumExp, in Tensor qkv, in Tensor sequenceStarts, in AttentionShape shape)
    {
        const string operation = "Attention.Forward";
        AttentionChecks.Forward(operation, y, logSumExp, qkv, sequenceStarts, shape);
        ReadOnlySpan<int> starts = sequenceStarts.AsSpan<int>();
        Checks.Starts(operation, "sequenceStarts", starts, qkv.D0);
        Span<float> normalizers = logSumExp.AsSpan<float>();
        for (int s = 0; s + 1 < starts.Length; s++)
        {
            KeyRows keys = KeyRows.Packed(new FloatSpan(qkv), starts[s], shape);
            for (int t = starts[s]; t < starts[s + 1]; t++)
            {
                for (int head = 0; head < shape.Heads; head++)
                    normalizers[(t * shape.Heads) + head] = Query(y, qkv, t, head, keys, t - starts[s] + 1, shape);
            }
        }
    }

    /// <inheritdoc/>
    public void ForwardPaged(in Tensor y, in Tensor qkv, in Tensor cache, in Tensor pageTable, in Tensor queryStarts,
        in Tensor contextLengths, long pages, in AttentionShape shape)
    {
        AttentionChecks.ForwardPaged(y, qkv, cache, pageTable, queryStarts, contextLengths, pages, CacheBytes(pages, shape, qkv.DType), shape);
        ReadOnlySpan<int> starts = queryStarts.AsSpan<int>(), lengths = contextLengths.AsSpan<int>(), table = pageTable.AsSpan<int>();
        int tableWidth = (int)pageTable.RowLength;
        AttentionChecks.Contexts(starts, lengths, table, tableWidth, qkv.D0, pages);
        for (int s = 0; s < lengths.Length; s++)
        {
            KeyRows keys = KeyRows.Paged(new FloatSpan(cache.AsSpan<byte>(), qkv.DType), table.Slice(s * tableWidth, tableWidth), shape);
            for (int t = starts[s]; t < starts[s + 1]; t++)
            {
                // The rows of this call are the last tokens of the context.
                int visible = lengths[s] - (starts[s + 1] - t) + 1;
                for (int head = 0; head < shape.Heads; head++) Query(y, qkv, t, head, keys, visible, shape);
            }
        }
    }

    /// <summary>One query head of one token over its first <paramref name="count"/> keys; returns the log-sum-exp of its scores.</summary>
    private float Query(in Tensor y, in Tensor qkv, int token, int head, KeyRows keys, int count, in AttentionShape shape)
    {
        (int width, int keyValueHead) = (shape.HeadDim, head / (shape.Heads / shape.KeyValueHeads));
        ReadOnlySpan<float> query = new FloatSpan(qkv).Read(((token * shape.PackedHeads) + head) * width, width, _query.Take(width));
        Span<float> row = _row.Take(width), sum = _sum.Take(width), scores = _scores.Take(count);

        float maximum = float.NegativeInfinity;
        for (int j = 0; j < count; j++)
        {
            scores[j] = shape.Scale * LinearReference.Dot(query, keys.Key(j, keyValueHead, row));
            maximum = MathF.Max(maximum, scores[j]);
        }

        float total = 0;
        sum.Clear();
        for (int j = 0; j < count; j++)
        {
            float weight = MathF.Exp(scores[j] - maximum);
            total += weight;
            LinearReference.AddScaled(sum, weight, keys.Value(j, keyValueHead, row));
        }

        for (int i = 0; i < width; i++) sum[i] /= total;
        new FloatSpan(y).Write(((token * shape.Heads) + head) * width, sum);
        return maximum + MathF.Log(total);
    }

    /// <inheritdoc/>
    public long BackwardScratchBytes(long tokens, long maxLength, in AttentionShape shape, DType dtype) =>
        2 * maxLength * shape.HeadDim * sizeof(float);

    /// <inheritdoc/>
    public void Backward(in Tensor dQkv, in Tensor dy, in Tensor y, in Tensor logSumExp, in Tensor qkv, in Tensor sequenceStarts,
        in AttentionShape shape, in Tensor scratch)
    {
        AttentionChecks.Forward("Attention.Backward", y, logSumExp, qkv, sequenceStarts, shape);
        ReadOnlySpan<int> starts = sequenceStarts.AsSpan<int>();
        AttentionChecks.Backward(this, dQkv, dy, y, logSumExp, qkv, sequenceStarts, starts, shape, scratch);
        FloatSpan result = new(dQkv);
        int width = shape.HeadDim, group = shape.Heads / shape.KeyValueHeads;
        for (int s = 0; s + 1 < starts.Length; s++)
        {
            int length = starts[s + 1] - starts[s];
            Span<float> sums = MemoryMarshal.Cast<byte, float>(scratch.AsSpan<byte>())[..(2 * length * width)];
            Span<float> dKeys = sums[..(length * width)], dValues = sums[(length * width)..];
            for (int keyValueHead = 0; keyValueHead < shape.KeyValueHeads; keyValueHead++)
            {
                sums.Clear();
                for (int head = keyValueHead * group; head < (keyValueHead + 1) * group; head++)
                {
                    for (int i = 0; i < length; i++)
                        QueryBackward(dKeys, dValues, result, dy, y, logSumExp, qkv, starts[s], i, head, keyValueHead, shape);
                }

                for (int j = 0; j < length; j++)
                {
                    int keyAt = (((starts[s] + j) * shape.PackedHeads) + shape.Heads + keyValueHead) * width;
                    result.Write(keyAt, dKeys.Slice(j * width, width));
                    result.Write(keyAt + (shape.KeyValueHeads * width), dValues.Slice(j * width, width));
                }
            }
        }
    }

    /// <summary>
    /// With p = e^(s − lse): dv_j += p·dy, ds = p·(dy·v_j − dy·y)·scale, dq += ds·k_j, dk_j += ds·q, over ascending keys j.
    /// </summary>
    private void QueryBackward(Span<float> dKeys, Span<float> dValues, FloatSpan result, in Tensor dy, in Tensor y, in Tensor logSumExp,
        in Tensor qkv, int start, int index, int head, int keyValueHead, in AttentionShape shape)
    {
        int width = shape.HeadDim, token = start + index;
        int queryAt = ((token * shape.PackedHeads) + head) * width, outputAt = ((token * shape.Heads) + head) * width;
        KeyRows keys = KeyRows.Packed(new FloatSpan(qkv), start, shape);
        Span<float> row = _row.Take(width), dQuery = _sum.Take(width);
        ReadOnlySpan<float> query = new FloatSpan(qkv).Read(queryAt, width, _query.Take(width));
        ReadOnlySpan<float> upstream = new FloatSpan(dy).Read(outputAt, width, _upstream.Take(width));
        float delta = LinearReference.Dot(upstream, new FloatSpan(y).Read(outputAt, width, row));
        float normalizer = logSumExp.AsSpan<float>()[(token * shape.Heads) + head];
        dQuery.Clear();
        for (int j = 0; j <= index; j++)
        {
            float dWeight = LinearReference.Dot(upstream, keys.Value(j, keyValueHead, row));
            ReadOnlySpan<float> key = keys.Key(j, keyValueHead, row);
            float weight = MathF.Exp((shape.Scale * LinearReference.Dot(query, key)) - normalizer);
            float dScore = weight * (dWeight - delta) * shape.Scale;
            LinearReference.AddScaled(dQuery, dScore, key);
            LinearReference.AddScaled(dKeys.Slice(j * width, width), dScore, query);
            LinearReference.AddScaled(dValues.Slice(j * width, width), weight, upstream);
        }

        result.Write(queryAt, dQuery);
    }

    /// <inheritdoc/>
    public long CacheBytes(long pages, in AttentionShape shape, DType dtype) =>
        pages * IAttention.PageSize * 2 * shape.KeyValueHeads * shape.HeadDim * dtype.Size();

    /// <inheritdoc/>
    public void StoreKeyValue(in Tensor cache, in Tensor qkv, in Tensor slots, long pages, in AttentionShape shape)
    {
        AttentionChecks.StoreKeyValue(cache, qkv, slots, pages, CacheBytes(pages, shape, qkv.DType), shape);
        ReadOnlySpan<int> places = slots.AsSpan<int>();
        AttentionChecks.Slots(places, pages);
        FloatSpan destination = new(cache.AsSpan<byte>(), qkv.DType), source = new(qkv);
        int width = 2 * shape.KeyValueHeads * shape.HeadDim;
        for (int t = 0; t < places.Length; t++)
        {
            int from = ((t * shape.PackedHeads) + shape.Heads) * shape.HeadDim;
            for (int i = 0; i < width; i++) destination[(places[t] * width) + i] = source[from + i];
        }
    }

    /// <inheritdoc/>
    public void CopyPages(in Tensor cache, in Tensor copies, long pages, in AttentionShape shape, DType dtype)
    {
        AttentionChecks.CopyPages(cache, copies, pages, CacheBytes(pages, shape, dtype), shape);
        ReadOnlySpan<int> pairs = copies.AsSpan<int>();
        AttentionChecks.Copies(pairs, pages);
        int pageBytes = (int)CacheBytes(1, shape, dtype);
        Span<byte> bytes = cache.AsSpan<byte>();
        for (int i = 0; i < pairs.Length; i += 2)
            bytes.Slice(pairs[i] * pageBytes, pageBytes).CopyTo(bytes[(pairs[i + 1] * pageBytes)..]);
    }

    /// <summary>
    /// Where key j of a sequence lies: in the packed rows, or in the cache, whose slots hold a token's keys and then its values.
    /// </summary>
    private readonly ref struct KeyRows
    {
        private readonly FloatSpan _storage;
        private readonly ReadOnlySpan<int> _pages;
        private readonly int _first;
        private readonly int _tokenWidth;
        private readonly int _valueOffset;
        private readonly int _headDim;

        private KeyRows(FloatSpan storage, ReadOnlySpan<int> pages, int first, int tokenWidth, in AttentionShape shape)
        {
            _storage = storage;
            _pages = pages;
            (_first, _tokenWidth) = (first, tokenWidth);
            (_headDim, _valueOffset) = (shape.HeadDim, shape.KeyValueHeads * shape.HeadDim);
        }

        public static KeyRows Packed(FloatSpan qkv, int start, in AttentionShape shape) =>
            new(qkv, default, ((start * shape.PackedHeads) + shape.Heads) * shape.HeadDim, shape.PackedHeads * shape.HeadDim, shape);

        public static KeyRows Paged(FloatSpan cache, ReadOnlySpan<int> pages, in AttentionShape shape) =>
            new(cache, pages, 0, 2 * shape.KeyValueHeads * shape.HeadDim, shape);

        public ReadOnlySpan<float> Key(int index, int head, Span<float> buffer) =>
            _storage.Read(TokenStart(index) + (head * _headDim), _headDim, buffer);

        public ReadOnlySpan<float> Value(int index, int head, Span<float> buffer) =>
            _storage.Read(TokenStart(index) + _valueOffset + (head * _headDim), _headDim, buffer);

        private int TokenStart(int index)
        {
            int place = _pages.IsEmpty
                ? index
                : (_pages[index / IAttention.PageSize] * IAttention.PageSize) + (index % IAttention.PageSize);
            return _first + (place * _tokenWidth);
        }
    }
}
