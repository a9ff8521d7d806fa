using System.Numerics;

namespace Luffy.Kernels.Tests;

/// <summary>
/// The operations written once more, straight from their formulas and generic in precision: independent of the code under test, and
/// cheap enough in f64 to differentiate numerically. <c>store</c> marks where an eager framework would write a tensor.
/// </summary>
internal static class Mirror<T> where T : IFloatingPointIeee754<T>
{
    public static T[] Linear(Precision<T> at, T[] x, T[] w, T[]? bias, int rows, int n, int k, bool stored = true)
    {
        T[] y = new T[rows * n];
        for (int t = 0; t < rows; t++)
        {
            for (int j = 0; j < n; j++)
            {
                T sum = T.Zero;
                for (int i = 0; i < k; i++) sum += x[(t * k) + i] * w[(j * k) + i];
                if (bias is not null) sum += bias[j];
                y[(t * n) + j] = stored ? at.Store(sum) : sum;
            }
        }

        return y;
    }

    public static T[] LinearInputGradient(Precision<T> at, T[] dy, T[] w, int rows, int n, int k)
    {
        T[] dx = new T[rows * k];
        for (int t = 0; t < rows; t++)
        {
            for (int i = 0; i < k; i++)
            {
                T sum = T.Zero;
                for (int j = 0; j < n; j++) sum += dy[(t * n) + j] * w[(j * k) + i];
                dx[(t * k) + i] = at.Store(sum);
            }
        }

        return dx;
    }

    public static (T[] DWeight, T[] DBias) LinearWeightGradient(T[] dWeight, T[] dBias, T[] dy, T[] x, int rows, int n, int k)
    {
        (T[] weights, T[] biases) = ((T[])dWeight.Clone(), (T[])dBias.Clone());
        for (int t = 0; t < rows; t++)
        {
            for (int j = 0; j < n; j++)
            {
                biases[j] += dy[(t * n) + j];
                for (int i = 0; i < k; i++) weights[(j * k) + i] += dy[(t * n) + j] * x[(t * k) + i];
            }
        }

        return (weights, biases);
    }

    public static (T[] Y, T[] Rstd) RmsNorm(Precision<T> at, T[] x, T[] weight, T epsilon, int rows, int width)
    {
        (T[] y, T[] rstd) = (new T[rows * width], new T[rows]);
        for (int t = 0; t < rows; t++)
        {
            T sum = T.Zero;
            for (int h = 0; h < width; h++) sum += x[(t * width) + h] * x[(t * width) + h];
            rstd[t] = T.One / T.Sqrt((sum / T.CreateChecked(width)) + epsilon);
            for (int h = 0; h < width; h++) y[(t * width) + h] = at.Store(at.Store(x[(t * width) + h] * rstd[t]) * weight[h]);
        }

        return (y, rstd);
    }

    public static (T[] Dx, T[] DWeight) RmsNormGradient(Precision<T> at, T[] dWeight, T[] dy, T[]? dResidual, T[] x, T[] weight, T epsilon,
        int rows, int width)
    {
        (T[] dx, T[] dw) = (new T[rows * width], (T[])dWeight.Clone());
        T[] rstd = RmsNorm(at, x, weight, epsilon, rows, width).Rstd;
        for (int t = 0; t < rows; t++)
        {
            T mean = T.Zero;
            for (int h = 0; h < width; h++) mean += weight[h] * dy[(t * width) + h] * x[(t * width) + h];
            mean /= T.CreateChecked(width);
            for (int h = 0; h < width; h++)
            {
                int i = (t * width) + h;
                dw[h] += dy[i] * x[i] * rstd[t];
                dx[i] = at.Store(rstd[t] * ((weight[h] * dy[i]) - (x[i] * rstd[t] * rstd[t] * mean)));
                if (dResidual is not null) dx[i] = at.Store(dResidual[i] + dx[i]);
            }
        }

        return (dx, dw);
    }

    public static T[] Rope(Precision<T> at, T[] qkv, int[] positions, T[] table, int heads, int rotated, int width, bool inverse)
    {
        T[] y = (T[])qkv.Clone();
        int half = width / 2;
        for (int t = 0; t < positions.Length; t++)
        {
            for (int head = 0; head < rotated; head++)
            {
                for (int i = 0; i < half; i++)
                {
                    T cos = table[(positions[t] * width) + i], sin = table[(positions[t] * width) + half + i];
                    if (inverse) sin = -sin;
                    int a = (((t * heads) + head) * width) + i, b = a + half;
                    y[a] = at.Store((qkv[a] * cos) - (qkv[b] * sin));
                    y[b] = at.Store((qkv[b] * cos) + (qkv[a] * sin));
                }
            }
        }

        return y;
    }

    public static T[] SwiGlu(Precision<T> at, T[] gateUp, int rows, int width)
    {
        T[] y = new T[rows * width];
        for (int t = 0; t < rows; t++)
        {
            for (int i = 0; i < width; i++)
            {
                T gate = gateUp[(2 * t * width) + i], up = gateUp[(2 * t * width) + width + i];
                y[(t * width) + i] = at.Store(at.Store(gate / (T.One + T.Exp(-gate))) * up);
            }
        }

        return y;
    }

    public static T[] SwiGluGradient(Precision<T> at, T[] dy, T[] gateUp, int rows, int width)
    {
        T[] d = new T[gateUp.Length];
        for (int t = 0; t < rows; t++)
        {
            for (int i = 0; i < width; i++)
            {
                int gateAt = (2 * t * width) + i, upAt = gateAt + width;
                T gate = gateUp[gateAt], sigmoid = T.One / (T.One + T.Exp(-gate)), upstream = dy[(t * width) + i];
                d[gateAt] = at.Store(at.Store(upstream * gateUp[upAt]) * sigmoid * (T.One + (gate * (T.One - sigmoid))));
                d[upAt] = at.Store(upstream * at.Store(gate * sigmoid));
            }
        }

        return d;
    }
}
