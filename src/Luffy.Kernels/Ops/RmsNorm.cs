namespace Luffy.Kernels;

/// <summary>y = x · rstd · w with rstd = 1/√(mean(x²) + ε), as Llama and Qwen2 normalise (Zhang and Sennrich, arXiv 1910.07467).</summary>
public interface IRmsNorm
{
    /// <summary>y[t, :] = x[t, :] · rstd[t] · weight.</summary>
    /// <param name="y">[T, H] =.</param>
    /// <param name="rstd">[T] F32 =, kept for backward.</param>
    /// <param name="x">[T, H], the dtype of y.</param>
    /// <param name="weight">[H], the dtype of y.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    void Forward(in Tensor y, in Tensor rstd, in Tensor x, in Tensor weight, float epsilon);

    /// <summary>
    /// sum = x + delta (rounded to storage), then <see cref="Forward"/> of the sum: the residual connection and the norm after it.
    /// </summary>
    /// <param name="y">[T, H] =.</param>
    /// <param name="sum">[T, H] =; may be the memory of <paramref name="x"/>.</param>
    /// <param name="rstd">[T] F32 =.</param>
    /// <param name="x">[T, H].</param>
    /// <param name="delta">[T, H].</param>
    /// <param name="weight">[H].</param>
    /// <param name="epsilon">Added to the mean square.</param>
    void AddForward(in Tensor y, in Tensor sum, in Tensor rstd, in Tensor x, in Tensor delta, in Tensor weight, float epsilon);

    /// <summary>dx = rstd · (w·dy − x · rstd² · mean(w·dy·x)); dWeight += Σ_t dy·x·rstd over ascending t.</summary>
    /// <param name="dx">[T, H] =.</param>
    /// <param name="dWeight">[H] F32 +=.</param>
    /// <param name="dy">[T, H].</param>
    /// <param name="x">[T, H], the input of the forward pass.</param>
    /// <param name="rstd">[T] F32 of the forward pass.</param>
    /// <param name="weight">[H].</param>
    void Backward(in Tensor dx, in Tensor dWeight, in Tensor dy, in Tensor x, in Tensor rstd, in Tensor weight);

    /// <summary>dx = dResidual + <see cref="Backward"/>: where the norm's input also went on along the residual stream.</summary>
    /// <param name="dx">[T, H] =; may be the memory of <paramref name="dResidual"/>.</param>
    /// <param name="dWeight">[H] F32 +=.</param>
    /// <param name="dy">[T, H].</param>
    /// <param name="dResidual">[T, H], the gradient that arrives along the residual stream.</param>
    /// <param name="x">[T, H].</param>
    /// <param name="rstd">[T] F32.</param>
    /// <param name="weight">[H].</param>
    void AddBackward(in Tensor dx, in Tensor dWeight, in Tensor dy, in Tensor dResidual, in Tensor x, in Tensor rstd, in Tensor weight);
}

/// <summary>The specification of <see cref="IRmsNorm"/> as plain loops.</summary>
public sealed class RmsNormReference : IRmsNorm
{
    /// <inheritdoc/>
    public void Forward(in Tensor y, in Tensor rstd, in Tensor x, in Tensor weight, float epsilon)
    {
        RmsNormChecks.Forward("RmsNorm.Forward", y, rstd, x, weight, x, x);
        FloatSpan result = new(y), input = new(x), scale = new(weight);
        Span<float> reciprocals = rstd.AsSpan<float>();
        int width = (int)x.RowLength;
        for (int t = 0; t < reciprocals.Length; t++)
        {
            float sum = 0;
            for (int h = 0; h < width; h++) sum = MathF.FusedMultiplyAdd(input[(t * width) + h], input[(t * width) + h], sum);
            float reciprocal = 1 / MathF.Sqrt((sum / width) + epsilon);
            reciprocals[t] = reciprocal;
            for (int h = 0; h < width; h++) result[(t * width) + h] = input[(t * width) + h] * reciprocal * scale[h];
        }
    }

    /// <inheritdoc/>
    public void AddForward(in Tensor y, in Tensor sum, in Tensor rstd, in Tensor x, in Tensor delta, in Tensor weight, float epsilon)
    {
        RmsNormChecks.Forward("RmsNorm.AddForward", y, rstd, x, weight, sum, delta);
        FloatSpan total = new(sum), residual = new(x), added = new(delta);
        for (int i = 0; i < total.Length; i++) total[i] = residual[i] + added[i];
        Forward(y, rstd, sum, weight, epsilon);
    }

    /// <inheritdoc/>
    public void Backward(in Tensor dx, in Tensor dWeight, in Tensor dy, in Tensor x, in Tensor rstd, in Tensor weight)
    {
        RmsNormChecks.Backward("RmsNorm.Backward", dx, dWeight, dy, dy, x, rstd, weight);
        Backward(dx, dWeight, dy, default, x, rstd, weight);
    }

    /// <inheritdoc/>
    public void AddBackward(in Tensor dx, in Tensor dWeight, in Tensor dy, in Tensor dResidual, in Tensor x, in Tensor rstd,
        in Tensor weight)
    {
        RmsNormChecks.Backward("RmsNorm.AddBackward", dx, dWeight, dy, dResidual, x, rstd, weight);
        Backward(dx, dWeight, dy, new FloatSpan(dResidual), x, rstd, weight);
    }

    // An empty residual adds nothing; a present one is added before the one rounding to storage.
    private static void Backward(in Tensor dx, in Tensor dWeight, in Tensor dy, FloatSpan residual, in Tensor x, in Tensor rstd,
        in Tensor weight)
    {
        FloatSpan result = new(dx), gradient = new(dy), input = new(x), scale = new(weight);
        Span<float> reciprocals = rstd.AsSpan<float>(), weightSum = dWeight.AsSpan<float>();
        int width = (int)x.RowLength;
        for (int t = 0; t < reciprocals.Length; t++)
        {
            float r = reciprocals[t], sum = 0;
            for (int h = 0; h < width; h++)
                sum = MathF.FusedMultiplyAdd(scale[h] * gradient[(t * width) + h], input[(t * width) + h], sum);
            float correction = r * r * (sum / width);
            for (int h = 0; h < width; h++)
            {
                int i = (t * width) + h;
                float value = r * ((scale[h] * gradient[i]) - (input[i] * correction));
                weightSum[h] += gradient[i] * input[i] * r;
                result[i] = residual.Length == 0 ? value : residual[i] + value;
            }
        }
    }
}
