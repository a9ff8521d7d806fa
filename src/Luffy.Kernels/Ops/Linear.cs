namespace Luffy.Kernels;

/// <summary>A weight matrix as checkpoints store it, and beside it the backend's own layout of the same numbers.</summary>
/// <param name="Values">[N, K], F32 or Bf16.</param>
/// <param name="Packed">[<see cref="ILinear.PackedBytes"/>] U8 made by <see cref="ILinear.Pack"/> after the last change of <paramref name="Values"/>, or absent: then the backend reads <paramref name="Values"/>. The result has the same bits either way.</param>
public readonly record struct LinearWeight(Tensor Values, Tensor Packed = default);

/// <summary>
/// y = x·Wᵀ (+ b) and its gradients. Every output element is one chain of fused multiply-adds over its reduction dimension in
/// ascending order (pairs of elements where the instruction takes pairs), starting from zero or, for +=, from what is there:
/// so the bits do not depend on the number of rows, on tiling or on threads.
/// </summary>
public interface ILinear
{
    /// <summary>Bytes of the packed form of a [N, K] weight; 0 where the backend has none.</summary>
    long PackedBytes(long n, long k, DType dtype);

    /// <summary>Writes the packed form of <paramref name="weight"/> [N, K] to <paramref name="packed"/> (U8).</summary>
    void Pack(in Tensor packed, in Tensor weight);

    /// <summary>y = x·Wᵀ + b.</summary>
    /// <param name="y">[T, N] =, the dtype of x, or F32.</param>
    /// <param name="x">[T, K], the dtype of the weight.</param>
    /// <param name="weight">[N, K].</param>
    /// <param name="bias">[N] of the weight's dtype, or absent.</param>
    void Forward(in Tensor y, in Tensor x, in LinearWeight weight, in Tensor bias = default);

    /// <summary>dx = dy·W.</summary>
    /// <param name="dx">[T, K] =, the dtype of dy.</param>
    /// <param name="dy">[T, N].</param>
    /// <param name="weight">[N, K].</param>
    void BackwardInput(in Tensor dx, in Tensor dy, in LinearWeight weight);

    /// <summary>dW += dyᵀ·x and db += Σ_t dy[t, :], both over ascending t.</summary>
    /// <param name="dWeight">[N, K] F32 +=.</param>
    /// <param name="dBias">[N] F32 +=, or absent.</param>
    /// <param name="dy">[T, N].</param>
    /// <param name="x">[T, K], the dtype of dy.</param>
    void BackwardWeight(in Tensor dWeight, in Tensor dBias, in Tensor dy, in Tensor x);
}

/// <summary>The specification of <see cref="ILinear"/>: three loops, one fused multiply-add a step, no packed form.</summary>
public sealed class LinearReference : ILinear
{
    private readonly RowBuffer _first = new();
    private readonly RowBuffer _second = new();

    /// <summary>Bytes of row buffers held.</summary>
    public long WorkspaceBytes => _first.Bytes + _second.Bytes;

    /// <inheritdoc/>
    public long PackedBytes(long n, long k, DType dtype) => 0;

    /// <inheritdoc/>
    public void Pack(in Tensor packed, in Tensor weight)
    {
        if (Checks.IsFloat(weight)) return;
        throw Checks.Failure("Linear.Pack", "weight must be f32 or bf16 [N, K]", ("packed", packed), ("weight", weight));
    }

    /// <inheritdoc/>
    public void Forward(in Tensor y, in Tensor x, in LinearWeight weight, in Tensor bias = default)
    {
        Tensor w = weight.Values;
        string? problem =
            !Checks.IsFloat(w) ? "weight must be f32 or bf16 [N, K]" :
            !Checks.IsFloat(x) || !Checks.IsMatrix(x, w.DType, x.D0, w.RowLength) ? "x must be [T, K] of the weight's dtype" :
            !Checks.IsMatrix(y, x.D0, w.D0) || (y.DType != x.DType && y.DType != DType.F32) ? "y must be [T, N], f32 or the dtype of x" :
            bias.Exists && !Checks.IsVector(bias, w.DType, w.D0) ? "bias must be [N] of the weight's dtype" : null;
        if (problem is not null) throw Checks.Failure("Linear.Forward", problem, ("y", y), ("x", x), ("weight", w), ("bias", bias));

        (int rows, int n, int k) = ((int)x.D0, (int)w.D0, (int)w.RowLength);
        FloatSpan result = new(y), input = new(x), weights = new(w), biases = new(bias);
        Span<float> inputBuffer = _first.Take(k), weightBuffer = _second.Take(k);
        for (int j = 0; j < n; j++)
        {
            ReadOnlySpan<float> weightRow = weights.Read(j * k, k, weightBuffer);
            for (int t = 0; t < rows; t++)
            {
                float sum = Dot(input.Read(t * k, k, inputBuffer), weightRow);
                result[(t * n) + j] = bias.Exists ? sum + biases[j] : sum;
            }
        }
    }

    /// <inheritdoc/>
    public void BackwardInput(in Tensor dx, in Tensor dy, in LinearWeight weight)
    {
        Tensor w = weight.Values;
        string? problem =
            !Checks.IsFloat(w) ? "weight must be f32 or bf16 [N, K]" :
            !Checks.IsFloat(dy) || !Checks.IsMatrix(dy, w.DType, dy.D0, w.D0) ? "dy must be [T, N] of the weight's dtype" :
            !Checks.IsMatrix(dx, dy.DType, dy.D0, w.RowLength) ? "dx must be [T, K] of the dtype of dy" : null;
        if (problem is not null) throw Checks.Failure("Linear.BackwardInput", problem, ("dx", dx), ("dy", dy), ("weight", w));

        (int rows, int n, int k) = ((int)dy.D0, (int)w.D0, (int)w.RowLength);
        FloatSpan result = new(dx), gradient = new(dy), weights = new(w);
        Span<float> sum = _first.Take(k), weightBuffer = _second.Take(k);
        for (int t = 0; t < rows; t++)
        {
            sum.Clear();
            for (int j = 0; j < n; j++) AddScaled(sum, gradient[(t * n) + j], weights.Read(j * k, k, weightBuffer));
            result.Write(t * k, sum);
        }
    }

    /// <inheritdoc/>
    public void BackwardWeight(in Tensor dWeight, in Tensor dBias, in Tensor dy, in Tensor x)
    {
        string? problem =
            !Checks.IsFloat(x) ? "x must be f32 or bf16 [T, K]" :
            !Checks.IsFloat(dy) || !Checks.IsMatrix(dy, x.DType, x.D0, dy.RowLength) ? "dy must be [T, N] of the dtype of x" :
            !Checks.IsMatrix(dWeight, DType.F32, dy.RowLength, x.RowLength) ? "dWeight must be f32 [N, K]" :
            dBias.Exists && !Checks.IsVector(dBias, DType.F32, dy.RowLength) ? "dBias must be f32 [N]" : null;
        if (problem is not null)
            throw Checks.Failure("Linear.BackwardWeight", problem, ("dWeight", dWeight), ("dBias", dBias), ("dy", dy), ("x", x));

        (int rows, int n, int k) = ((int)x.D0, (int)dy.RowLength, (int)x.RowLength);
        FloatSpan gradient = new(dy), input = new(x);
        Span<float> weightSum = dWeight.AsSpan<float>(), biasSum = dBias.AsSpan<float>(), inputBuffer = _first.Take(k);
        for (int t = 0; t < rows; t++)
        {
            ReadOnlySpan<float> inputRow = input.Read(t * k, k, inputBuffer);
            for (int j = 0; j < n; j++)
            {
                float value = gradient[(t * n) + j];
                AddScaled(weightSum.Slice(j * k, k), value, inputRow);
                if (dBias.Exists) biasSum[j] += value;
            }
        }
    }

    /// <summary>Σ a·b as one chain over ascending elements, starting from zero.</summary>
    internal static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        float sum = 0;
        for (int i = 0; i < a.Length; i++) sum = MathF.FusedMultiplyAdd(a[i], b[i], sum);
        return sum;
    }

    /// <summary>sum += scale·x, one link in the chain of every element.</summary>
    internal static void AddScaled(Span<float> sum, float scale, ReadOnlySpan<float> x)
    {
        for (int i = 0; i < sum.Length; i++) sum[i] = MathF.FusedMultiplyAdd(scale, x[i], sum[i]);
    }
}
