using System.Runtime.InteropServices;

namespace Luffy.Kernels;

/// <summary>The specification of <see cref="ISampling"/>: scale, filter by a full sort, add noise, take the largest.</summary>
public sealed class SamplingReference : ISampling
{
    /// <inheritdoc/>
    public long ScratchBytes(long rows, long vocabulary) => vocabulary * (sizeof(ulong) + sizeof(float));

    /// <inheritdoc/>
    public void Sample(in Tensor ids, in Tensor logProbs, in Tensor sampledLogProbs, in Tensor logits, in Tensor keys,
        in SamplingOptions options, in Tensor scratch)
    {
        SamplingChecks.Sample(ids, logProbs, sampledLogProbs, logits, keys, options, scratch, this);
        (int rows, int vocabulary) = ((int)logits.D0, (int)logits.RowLength);
        Span<int> drawn = ids.AsSpan<int>();
        Span<float> full = logProbs.AsSpan<float>(), kept = sampledLogProbs.AsSpan<float>();
        ReadOnlySpan<float> values = logits.AsSpan<float>();
        ReadOnlySpan<int> key = keys.AsSpan<int>();
        Span<byte> memory = scratch.AsSpan<byte>();
        Span<ulong> order = MemoryMarshal.Cast<byte, ulong>(memory)[..vocabulary];
        Span<float> z = MemoryMarshal.Cast<byte, float>(memory[(vocabulary * sizeof(ulong))..])[..vocabulary];
        for (int s = 0; s < rows; s++)
        {
            bool greedy = options.Temperature == 0;
            values.Slice(s * vocabulary, vocabulary).CopyTo(z);
            LogSoftmax.Scale(z, greedy ? 1 : options.Temperature);
            float logSumExp = LogSoftmax.Row(z).LogSumExp;
            if (!greedy && !options.KeepsAll) Filter(z, order, options);
            int token = greedy ? Largest(z) : LargestNoisy(z, key.Slice(s * 3, 3), options.Seed);
            drawn[s] = token;
            full[s] = z[token] - logSumExp;
            // The same routine over the same values gives the same bits where the filters kept everything.
            kept[s] = greedy ? 0 : z[token] - LogSoftmax.Row(z).LogSumExp;
        }
    }

    private static int Largest(ReadOnlySpan<float> z)
    {
        int best = 0;
        for (int v = 1; v < z.Length; v++)
        {
            if (z[v] > z[best]) best = v;
        }

        return best;
    }

    private static int LargestNoisy(ReadOnlySpan<float> z, ReadOnlySpan<int> key, ulong seed)
    {
        int best = -1;
        float bestValue = float.NegativeInfinity;
        for (int start = 0; start < z.Length; start += 4)
        {
            (uint a, uint b, uint c, uint d) = Philox.Generate((uint)(start / 4), (uint)key[0], (uint)key[1], (uint)key[2], seed);
            ReadOnlySpan<uint> words = [a, b, c, d];
            for (int v = start; v < Math.Min(start + 4, z.Length); v++)
            {
                if (float.IsNegativeInfinity(z[v])) continue;
                float value = z[v] + Philox.Gumbel(words[v - start]);
                if (best >= 0 && !(value > bestValue)) continue;
                (best, bestValue) = (v, value);
            }
        }

        return Math.Max(best, 0);
    }

    /// <summary>
    /// Sets what the filters remove to −∞, each filter on what the one before left, as Hugging Face's logits processors do.
    /// </summary>
    private static void Filter(Span<float> z, Span<ulong> order, in SamplingOptions options)
    {
        for (int v = 0; v < z.Length; v++) order[v] = DescendingKey(z[v], v);
        order.Sort();
        int count = z.Length;
        if (options.TopK > 0 && options.TopK < count)
        {
            float smallest = z[Token(order[options.TopK - 1])];
            count = options.TopK;
            while (count < z.Length && z[Token(order[count])] == smallest) count++;
        }

        float maximum = z[Token(order[0])];
        if (options.TopP < 1)
        {
            float total = 0, mass = 0;
            for (int i = 0; i < count; i++) total += MathF.Exp(z[Token(order[i])] - maximum);
            int keep = 0;
            while (keep < count && (keep == 0 || mass < options.TopP * total)) mass += MathF.Exp(z[Token(order[keep++])] - maximum);
            count = keep;
        }

        if (options.MinP > 0)
        {
            while (count > 1 && MathF.Exp(z[Token(order[count - 1])] - maximum) < options.MinP) count--;
        }

        for (int i = count; i < z.Length; i++) z[Token(order[i])] = float.NegativeInfinity;
    }

    /// <summary>
    /// A number that sorts larger logits first and lower ids first among equals: the float's bits made monotone, then the id.
    /// </summary>
    private static ulong DescendingKey(float value, int token)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value + 0f);
        uint ascending = (bits & 0x80000000) != 0 ? ~bits : bits | 0x80000000;
        return ((ulong)~ascending << 32) | (uint)token;
    }

    private static int Token(ulong key) => (int)(uint)key;
}
