namespace Luffy.Kernels;

/// <summary>y = silu(gate) · up with silu(z) = z/(1 + e^−z) (Shazeer, arXiv 2002.05202).</summary>
public interface ISwiGlu
{
    /// <summary>y[t, i] = silu(gateUp[t, i]) · gateUp[t, I + i].</summary>
    /// <param name="y">[T, I] =.</param>
    /// <param name="gateUp">[T, 2·I]: the gates, then the ups.</param>
    void Forward(in Tensor y, in Tensor gateUp);

    /// <summary>Gradients of gate and up.</summary>
    /// <param name="dGateUp">[T, 2·I] =; may be the memory of <paramref name="gateUp"/>.</param>
    /// <param name="dy">[T, I].</param>
    /// <param name="gateUp">[T, 2·I] of the forward pass.</param>
    void Backward(in Tensor dGateUp, in Tensor dy, in Tensor gateUp);
}
