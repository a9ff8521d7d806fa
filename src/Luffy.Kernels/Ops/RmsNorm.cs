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

    /// <summary>sum = x + delta (rounded to storage), then <see cref="Forward"/> of the sum: the residual connection and the norm after it.</summary>
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
