using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Rollout;

/// <summary>Sizes of a <see cref="RolloutEngine"/>.</summary>
/// <param name="Batch">Sequences decoded at once.</param>
/// <param name="MaxPromptTokens">Longest prompt.</param>
/// <param name="MaxNewTokens">Longest completion.</param>
public sealed record RolloutPlan(int Batch, int MaxPromptTokens, int MaxNewTokens)
{
    /// <summary>Prompt tokens of one prefill call, over several prompts.</summary>
    public int PrefillTokens => Math.Max(Math.Max(MaxPromptTokens, Batch), 1024);

    /// <summary>Longest context. The last token drawn is never read again.</summary>
    public int MaxLength { get; init; } = MaxPromptTokens + MaxNewTokens - 1;

    /// <summary>
    /// Enough that every sequence of a full batch can grow to the end, and a page more for a prompt whose samples have not all started: nothing
    /// is ever evicted. One page is enough, because its samples share the pages before that one; and while none of them is active there
    /// are at most <see cref="Batch"/> - 1 other sequences, because no later prompt starts before it.
    /// </summary>
    public int CachePages => (Batch * KvCache.PagesFor(MaxLength)) + 1;

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
    public ActivationPlan Activations(IBackend backend, TransformerConfig config, DType dtype) => new(backend, config, dtype, Shape);
}
