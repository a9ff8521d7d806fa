using Luffy.Kernels;

namespace Luffy.Engine.Model;

/// <summary>Where attention finds its keys: the only thing in which training, scoring, prefill and decoding differ.</summary>
public abstract class AttentionKeys
{
    /// <summary>Attends for one layer.</summary>
    /// <param name="layer">Layer index.</param>
    /// <param name="y">[T, Heads, D] =.</param>
    /// <param name="logSumExp">[T, Heads] F32 =, where a backward pass follows.</param>
    /// <param name="qkv">[T, PackedHeads, D], rotated.</param>
    public abstract void Attend(int layer, in Tensor y, in Tensor logSumExp, in Tensor qkv);
}

/// <summary>Keys are those of the batch itself: packed sequences from their first token.</summary>
public sealed class PackedKeys(IBackend backend, AttentionShape shape) : AttentionKeys
{
    /// <summary>[S + 1] I32 of the current batch.</summary>
    public Tensor SequenceStarts { get; set; }

    /// <inheritdoc/>
    public override void Attend(int layer, in Tensor y, in Tensor logSumExp, in Tensor qkv) =>
        backend.Attention.Forward(y, logSumExp, qkv, SequenceStarts, shape);
}
