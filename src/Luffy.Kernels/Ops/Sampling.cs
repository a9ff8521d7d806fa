namespace Luffy.Kernels;

/// <summary>
/// How tokens are drawn. Filters apply in the order temperature, top-k, top-p, min-p, as Hugging Face and vLLM apply them.
/// </summary>
/// <param name="Temperature">Logits are divided by it; 0 takes the largest logit (and log-probs are those of temperature 1).</param>
/// <param name="TopK">Keep the k largest logits (ties with the k-th are kept); 0 keeps all.</param>
/// <param name="TopP">Keep the smallest set of most probable tokens whose mass reaches p, always at least one; 1 keeps all.</param>
/// <param name="MinP">Keep tokens whose probability is at least this share of the most probable one's; 0 keeps all.</param>
/// <param name="Seed">Key of the counter-based generator.</param>
public readonly record struct SamplingOptions(float Temperature, int TopK, float TopP, float MinP, ulong Seed)
{
    /// <summary>True where every token of the vocabulary can be drawn.</summary>
    public bool KeepsAll => TopK == 0 && TopP >= 1 && MinP <= 0;
}

/// <summary>
/// Draws one token a row by the Gumbel-max trick: argmax of z/T − ln(−ln u) over the kept tokens, the lowest id among equals. u of
/// token v comes from Philox4x32-10 (Salmon et al., SC'11) with key = seed and counter = (v / 4, key[0], key[1], key[2]), word v mod 4,
/// u = ((word >> 9) + ½)·2⁻²³, which is exact in F32 and never 1 (one bit more, and rounding would make the largest word an infinite
/// Gumbel, which draws any token at all): the draw depends on nothing else, neither batch nor schedule.
/// </summary>
public interface ISampling
{
    /// <summary>Bytes of scratch that <see cref="Sample"/> needs for rows × vocabulary.</summary>
    long ScratchBytes(long rows, long vocabulary);

    /// <summary>Draws a token for every row.</summary>
    /// <param name="ids">[S] I32 =, the tokens drawn.</param>
    /// <param name="logProbs">[S] F32 =, of the drawn token under softmax(z/T) over the whole vocabulary: the bits that <see cref="IPolicyLoss.LogProb"/> computes.</param>
    /// <param name="sampledLogProbs">[S] F32 =, of the drawn token among the kept tokens; 0 when greedy; equal to <paramref name="logProbs"/> where all are kept.</param>
    /// <param name="logits">[S, V] F32, from <see cref="ILinear.Forward"/>.</param>
    /// <param name="keys">[S, 3] I32: prompt, sample, position.</param>
    /// <param name="options">Filters and seed.</param>
    /// <param name="scratch">[<see cref="ScratchBytes"/>] U8.</param>
    void Sample(in Tensor ids, in Tensor logProbs, in Tensor sampledLogProbs, in Tensor logits, in Tensor keys,
        in SamplingOptions options, in Tensor scratch);
}
