namespace Luffy.Kernels;

/// <summary>
/// A weight matrix as checkpoints store it, the backend's own layout of the same numbers, or both. Results have the same bits
/// whichever is there.
/// </summary>
public readonly record struct LinearWeight
{
    /// <summary>A weight that is there as rows, and perhaps packed as well.</summary>
    /// <param name="values">[N, K], F32 or Bf16.</param>
    /// <param name="packed">What <see cref="ILinear.Pack"/> made after the last change of <paramref name="values"/>, or absent.</param>
    public LinearWeight(Tensor values, Tensor packed = default) => (Values, Packed, N, K, DType) = (values, packed, values.D0, values.RowLength, values.DType);

    /// <summary>A weight that is there in its packed form alone.</summary>
    /// <param name="packed">What <see cref="ILinear.Pack"/> made.</param>
    /// <param name="dtype">F32 or Bf16.</param>
    /// <param name="n">Rows.</param>
    /// <param name="k">Elements of a row.</param>
    public LinearWeight(Tensor packed, DType dtype, long n, long k) => (Packed, N, K, DType) = (packed, n, k, dtype);

    /// <summary>[N, K], or absent.</summary>
    public Tensor Values { get; }

    /// <summary>[<see cref="ILinear.PackedBytes"/>] U8, or absent.</summary>
    public Tensor Packed { get; }

    /// <summary>Rows: outputs of the layer.</summary>
    public long N { get; }

    /// <summary>Elements of a row: inputs of the layer.</summary>
    public long K { get; }

    /// <summary>F32 or Bf16.</summary>
    public DType DType { get; }

    /// <summary>The rows, for backends whose packed form is the rows themselves; absent where neither is there.</summary>
    internal Tensor Rows => Values.Exists || !Checks.IsBytes(Packed, Math.Max(1, N * K * DType.Size()))
        ? Values
        : new Tensor(Packed.Buffer, Packed.ByteOffset, DType, N, K, 1, 1);
}

/// <summary>
/// y = x·Wᵀ (+ b) and its gradients. Every output element is one chain of fused multiply-adds over its reduction dimension in
/// ascending order (pairs of elements where the instruction takes pairs, 16 at a time where it takes so many), starting from zero or, for
/// +=, from what is there: so the bits do not depend on the number of rows, on tiling or on threads.
/// </summary>
public interface ILinear
{
    /// <summary>Bytes of the packed form of a [N, K] weight.</summary>
    long PackedBytes(long n, long k, DType dtype);

    /// <summary>Writes the packed form of <paramref name="weight"/> [N, K] to <paramref name="packed"/> (U8).</summary>
    void Pack(in Tensor packed, in Tensor weight);

    /// <summary>Writes some rows of a packed weight; the others stay as they are.</summary>
    /// <param name="weight">[N, K], whose packed form was zero or packed before.</param>
    /// <param name="rows">[R, K], the weight's dtype.</param>
    /// <param name="firstRow">The weight's row that the first of them becomes.</param>
    void PackRows(in LinearWeight weight, in Tensor rows, long firstRow);

    /// <summary>Reads rows of a packed weight back, to the bit.</summary>
    /// <param name="rows">[R, K] =, the weight's dtype.</param>
    /// <param name="weight">[N, K], packed.</param>
    /// <param name="firstRow">The weight's row that comes first.</param>
    void Unpack(in Tensor rows, in LinearWeight weight, long firstRow = 0);

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
    /// <param name="dWeight">[N, K] F32 +=; or, where the activations are Bf16, Bf16 =: the same chain from zero, rounded once.</param>
    /// <param name="dBias">[N] F32 +=, or absent.</param>
    /// <param name="dy">[T, N].</param>
    /// <param name="x">[T, K], the dtype of dy.</param>
    void BackwardWeight(in Tensor dWeight, in Tensor dBias, in Tensor dy, in Tensor x);
}

/// <summary>The specification of <see cref="ILinear"/>: three loops, one fused multiply-add a step. The packed form is the rows.</summary>
public sealed class LinearReference : ILinear
{
    private readonly RowBuffer _first = new();
    private readonly RowBuffer _second = new();

    /// <summary>Bytes of row buffers held.</summary>
    public long WorkspaceBytes => _first.Bytes + _second.Bytes;

    /// <inheritdoc/>
    public long PackedBytes(long n, long k, DType dtype) => n * k * dtype.Size();

    /// <inheritdoc/>
    public void Pack(in Tensor packed, in Tensor weight)
    {
        LinearChecks.Pack(packed, weight);
        Copy(weight, new LinearWeight(packed, weight.DType, weight.D0, weight.RowLength).Rows);
    }

    /// <inheritdoc/>
    public void PackRows(in LinearWeight weight, in Tensor rows, long firstRow) =>
        Copy(rows, LinearChecks.PackedRange("Linear.PackRows", weight, rows, firstRow));

    /// <inheritdoc/>
    public void Unpack(in Tensor rows, in LinearWeight weight, long firstRow = 0) =>
        Copy(LinearChecks.PackedRange("Linear.Unpack", weight, rows, firstRow), rows);

    /// <inheritdoc/>
    public void Forward(in Tensor y, in Tensor x, in LinearWeight weight, in Tensor bias = default)
    {
        Tensor w = weight.Rows;
        LinearChecks.Forward(y, x, w, bias);

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
        Tensor w = weight.Rows;
        LinearChecks.BackwardInput(dx, dy, w);

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
        LinearChecks.BackwardWeight(dWeight, dBias, dy, x);

        (int rows, int n, int k) = ((int)x.D0, (int)dy.RowLength, (int)x.RowLength);
        FloatSpan gradient = new(dy), input = new(x);
        FloatSpan result = new(dWeight);
        bool adds = dWeight.DType == DType.F32;
        Span<float> biasSum = dBias.AsSpan<float>(), inputBuffer = _first.Take(k), sum = _second.Take(k);
        for (int j = 0; j < n; j++)
        {
            if (adds) result.Read(j * k, k, sum).CopyTo(sum);
            else sum.Clear();
            for (int t = 0; t < rows; t++)
            {
                float value = gradient[(t * n) + j];
                AddScaled(sum, value, input.Read(t * k, k, inputBuffer));
                if (dBias.Exists) biasSum[j] += value;
            }

            result.Write(j * k, sum);
        }
    }

    private static void Copy(in Tensor source, in Tensor destination)
    {
        if (source.DType == DType.F32) source.AsSpan<float>().CopyTo(destination.AsSpan<float>());
        else source.AsSpan<ushort>().CopyTo(destination.AsSpan<ushort>());
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
