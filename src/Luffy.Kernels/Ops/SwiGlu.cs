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

/// <summary>The specification of <see cref="ISwiGlu"/> as plain loops.</summary>
public sealed class SwiGluReference : ISwiGlu
{
    /// <inheritdoc/>
    public void Forward(in Tensor y, in Tensor gateUp)
    {
        SwiGluChecks.Forward(y, gateUp);

        FloatSpan result = new(y), input = new(gateUp);
        int width = (int)gateUp.RowLength / 2;
        for (int t = 0; t < gateUp.D0; t++)
        {
            for (int i = 0; i < width; i++)
            {
                float gate = input[(2 * t * width) + i], up = input[(2 * t * width) + width + i];
                result[(t * width) + i] = gate / (1 + MathF.Exp(-gate)) * up;
            }
        }
    }

    /// <inheritdoc/>
    public void Backward(in Tensor dGateUp, in Tensor dy, in Tensor gateUp)
    {
        SwiGluChecks.Backward(dGateUp, dy, gateUp);

        FloatSpan result = new(dGateUp), gradient = new(dy), input = new(gateUp);
        int width = (int)gateUp.RowLength / 2;
        for (int t = 0; t < gateUp.D0; t++)
        {
            for (int i = 0; i < width; i++)
            {
                int gateAt = (2 * t * width) + i, upAt = gateAt + width;
                float gate = input[gateAt], up = input[upAt], d = gradient[(t * width) + i];
                float sigmoid = 1 / (1 + MathF.Exp(-gate));
                result[gateAt] = d * up * sigmoid * (1 + (gate * (1 - sigmoid)));
                result[upAt] = d * gate * sigmoid;
            }
        }
    }
}
