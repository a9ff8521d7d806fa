using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Rollout;

/// <summary>Sizes of a <see cref="RolloutEngine"/>.</summary>
/// <param name="Batch">Sequences decoded at once.</param>
/// <param name="MaxPromptTokens">Longest prompt.</param>
/// <param name="MaxNewTokens">Longest completion.</param>
public sealed record RolloutPlan(int Batch, int MaxPromptTokens, int MaxNewTokens)
{
    /// <summary>Tokens of one forward pass that make it worth reading the weights; more only where the batch is larger.</summary>
    public int PassTokens { get; init; } = 1024;

    /// <summary>Tokens of one forward pass at most, over decoding rows and prompts; longer prompts come in parts.</summary>
    public int PrefillTokens => (int)Math.Min(Math.Max(PassTokens, 2L * Batch), (long)Batch * MaxLength);

    /// <summary>Longest context. The last token drawn is never read again.</summary>
    public int MaxLength { get; init; } = MaxPromptTokens + MaxNewTokens - 1;

    /// <summary>Tokens that the key-value cache holds; 0 for a full batch of the longest sequences. One longest sequence always fits.</summary>
    public int CacheTokens { get; init; }

    /// <summary>
    /// Pages of the cache. Where they run out, sequences wait or are computed again. They never do in a full batch's: every sequence can grow to
    /// the end, and one page more is for a prompt whose samples have not all begun, because its samples share those before it.
    /// </summary>
    public int CachePages
    {
        get
        {
            int longest = KvCache.PagesFor(MaxLength), full = (Batch * longest) + 1;
            return CacheTokens == 0 ? full : Math.Clamp(KvCache.PagesFor(CacheTokens), longest, full);
        }
    }

    /// <summary>The activations of both phases; they share one set.</summary>
    public ActivationShape Shape => new()
    {
        Tokens = PrefillTokens,
        Sequences = Batch,
        MaxLength = MaxLength,
        OutputRows = Batch,
        Paged = true,
    };

    /// <summary>Plans the activations.</summary>
    public ActivationPlan Activations(IBackendSizes backend, TransformerConfig config, DType dtype) => new(backend, config, dtype, Shape);
}
