namespace Luffy.Kernels;

/// <summary>Row gather and its transpose. Also gathers the hidden states of response positions, and scatters their gradients.</summary>
public interface IEmbedding
{
    /// <summary>y[t, :] = weight[ids[t], :].</summary>
    /// <param name="y">[T, H] = (overwritten), dtype of <paramref name="weight"/>.</param>
    /// <param name="weight">[V, H], F32 or Bf16, as rows or packed.</param>
    /// <param name="ids">[T] I32, each in 0..V−1; anything else is an error.</param>
    void Forward(in Tensor y, in LinearWeight weight, in Tensor ids);

    /// <summary>dWeight[ids[t], :] += dy[t, :], rows of the same id added in ascending t.</summary>
    /// <param name="dWeight">[V, H] F32 += (parameter gradient), or the dtype of <paramref name="dy"/> when it scatters activations.</param>
    /// <param name="dy">[T, H], F32 or Bf16.</param>
    /// <param name="ids">[T] I32.</param>
    void Backward(in Tensor dWeight, in Tensor dy, in Tensor ids);
}

/// <summary>The specification of <see cref="IEmbedding"/> as plain loops.</summary>
public sealed class EmbeddingReference : IEmbedding
{
    /// <inheritdoc/>
    public void Forward(in Tensor y, in LinearWeight weight, in Tensor ids)
    {
        Tensor w = weight.Rows;
        EmbeddingChecks.Forward(y, w, ids);
        ReadOnlySpan<int> tokens = ids.AsSpan<int>();
        Checks.Range("Embedding.Forward", "ids", tokens, w.D0);

        FloatSpan source = new(w), destination = new(y);
        int width = (int)w.RowLength;
        for (int t = 0; t < tokens.Length; t++)
        {
            for (int h = 0; h < width; h++) destination[(t * width) + h] = source[(tokens[t] * width) + h];
        }
    }

    /// <inheritdoc/>
    public void Backward(in Tensor dWeight, in Tensor dy, in Tensor ids)
    {
        EmbeddingChecks.Backward(dWeight, dy, ids);
        ReadOnlySpan<int> tokens = ids.AsSpan<int>();
        Checks.Range("Embedding.Backward", "ids", tokens, dWeight.D0);

        FloatSpan source = new(dy), sum = new(dWeight);
        int width = (int)dWeight.RowLength;
        for (int t = 0; t < tokens.Length; t++)
        {
            for (int h = 0; h < width; h++) sum[(tokens[t] * width) + h] += source[(t * width) + h];
        }
    }
}
