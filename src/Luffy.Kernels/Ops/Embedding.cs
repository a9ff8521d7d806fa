namespace Luffy.Kernels;

/// <summary>Row gather and its transpose. Also gathers the hidden states of response positions, and scatters their gradients.</summary>
public interface IEmbedding
{
    /// <summary>y[t, :] = weight[ids[t], :].</summary>
    /// <param name="y">[T, H] = (overwritten), dtype of <paramref name="weight"/>.</param>
    /// <param name="weight">[V, H], F32 or Bf16.</param>
    /// <param name="ids">[T] I32, each in 0..V−1; anything else is an error.</param>
    void Forward(in Tensor y, in Tensor weight, in Tensor ids);

    /// <summary>dWeight[ids[t], :] += dy[t, :], rows of the same id added in ascending t.</summary>
    /// <param name="dWeight">[V, H] F32 += (parameter gradient), or the dtype of <paramref name="dy"/> when it scatters activations.</param>
    /// <param name="dy">[T, H], F32 or Bf16.</param>
    /// <param name="ids">[T] I32.</param>
    void Backward(in Tensor dWeight, in Tensor dy, in Tensor ids);
}
