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
