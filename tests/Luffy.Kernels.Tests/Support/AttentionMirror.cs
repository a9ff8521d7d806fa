using System.Numerics;

namespace Luffy.Kernels.Tests;

/// <summary>Attention from its formula, with the whole matrix of probabilities, generic in precision.</summary>
internal static class AttentionMirror<T> where T : IFloatingPointIeee754<T>
{
    public static (T[] Y, T[] LogSumExp) Forward(Precision<T> at, T[] qkv, int[] starts, AttentionShape shape)
    {
        int tokens = starts[^1];
        (T[] y, T[] logSumExp) = (new T[tokens * shape.Heads * shape.HeadDim], new T[tokens * shape.Heads]);
        Each(starts, shape, (start, i, head) =>
        {
            (T[] p, T normalizer) = Probabilities(at, qkv, start, i, head, shape);
            int token = start + i;
            logSumExp[(token * shape.Heads) + head] = normalizer;
            for (int d = 0; d < shape.HeadDim; d++)
            {
                T sum = T.Zero;
                for (int j = 0; j <= i; j++) sum += p[j] * qkv[ValueAt(start + j, head, shape) + d];
                y[(((token * shape.Heads) + head) * shape.HeadDim) + d] = at.Store(sum);
            }
        });
        return (y, logSumExp);
    }

    /// <summary>dQkv for upstream dy: through the softmax's Jacobian, with the probabilities computed anew.</summary>
    public static T[] Backward(Precision<T> at, T[] dy, T[] qkv, int[] starts, AttentionShape shape)
    {
        T[] d = new T[qkv.Length];
        T scale = T.CreateChecked(shape.Scale);
        Each(starts, shape, (start, i, head) =>
        {
            T[] p = Probabilities(at, qkv, start, i, head, shape).P;
            T[] dp = new T[i + 1];
            int queryAt = QueryAt(start + i, head, shape), dyAt = (((start + i) * shape.Heads) + head) * shape.HeadDim;
            T mean = T.Zero;
            for (int j = 0; j <= i; j++)
            {
                for (int e = 0; e < shape.HeadDim; e++) dp[j] += dy[dyAt + e] * qkv[ValueAt(start + j, head, shape) + e];
                dp[j] = at.Store(dp[j]);
                mean += p[j] * dp[j];
            }

            for (int j = 0; j <= i; j++)
            {
                T ds = at.Store(p[j] * (dp[j] - mean)) * scale;
                for (int e = 0; e < shape.HeadDim; e++)
                {
                    d[queryAt + e] += ds * qkv[KeyAt(start + j, head, shape) + e];
                    d[KeyAt(start + j, head, shape) + e] += ds * qkv[queryAt + e];
                    d[ValueAt(start + j, head, shape) + e] += p[j] * dy[dyAt + e];
                }
            }
        });
        return Array.ConvertAll(d, value => at.Store(value));
    }

    private static (T[] P, T LogSumExp) Probabilities(Precision<T> at, T[] qkv, int start, int i, int head, AttentionShape shape)
    {
        T[] p = new T[i + 1];
        T scale = T.CreateChecked(shape.Scale), maximum = T.NegativeInfinity, total = T.Zero;
        for (int j = 0; j <= i; j++)
        {
            T dot = T.Zero;
            for (int e = 0; e < shape.HeadDim; e++) dot += qkv[QueryAt(start + i, head, shape) + e] * qkv[KeyAt(start + j, head, shape) + e];
            p[j] = dot * scale;
            maximum = T.Max(maximum, p[j]);
        }

        for (int j = 0; j <= i; j++) total += T.Exp(p[j] - maximum);
        for (int j = 0; j <= i; j++) p[j] = at.Store(T.Exp(p[j] - maximum) / total);
        return (p, maximum + T.Log(total));
    }

    private static void Each(int[] starts, AttentionShape shape, Action<int, int, int> query)
    {
        for (int s = 0; s + 1 < starts.Length; s++)
        {
            for (int i = 0; i < starts[s + 1] - starts[s]; i++)
            {
                for (int head = 0; head < shape.Heads; head++) query(starts[s], i, head);
            }
        }
    }

    private static int QueryAt(int token, int head, AttentionShape shape) => ((token * shape.PackedHeads) + head) * shape.HeadDim;

    private static int KeyAt(int token, int head, AttentionShape shape) =>
        ((token * shape.PackedHeads) + shape.Heads + (head * shape.KeyValueHeads / shape.Heads)) * shape.HeadDim;

    private static int ValueAt(int token, int head, AttentionShape shape) => KeyAt(token, head, shape) + (shape.KeyValueHeads * shape.HeadDim);
}
