using System.Numerics;

namespace Luffy.Kernels.Tests;

/// <summary>
/// A way to compute the mirrors: f64 is the truth, f32 the naive way for F32 storage, and f32 that rounds every tensor it stores to
/// bfloat16 the naive way for Bf16 storage, as an eager framework does.
/// </summary>
public sealed record Precision<T>(Func<float, T> Read, Func<T, T> Store) where T : IFloatingPointIeee754<T>
{
    public T[] Widen(float[] values) => Array.ConvertAll(values, value => Read(value));
}

/// <summary>The three ways.</summary>
public static class Precision
{
    public static readonly Precision<double> Truth = new(value => value, value => value);

    private static readonly Precision<float> NaiveF32 = new(value => value, value => value);

    private static readonly Precision<float> NaiveBf16 = new(value => value, BFloat16.Round);

    public static Precision<float> Naive(DType dtype) => dtype == DType.Bf16 ? NaiveBf16 : NaiveF32;
}
