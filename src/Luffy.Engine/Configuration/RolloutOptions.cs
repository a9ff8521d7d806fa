namespace Luffy.Engine.Configuration;

/// <summary>How answers are sampled. A "batch" counts prompts, never rows: a step has prompts_per_step × num_generations rows.</summary>
public sealed record RolloutOptions
{
    /// <summary>Prompts of one step.</summary>
    [Bounds(Minimum = 1)]
    public int PromptsPerStep { get; init; } = 128;

    /// <summary>
    /// How many times a step replaces the groups whose rows are all right or all wrong by groups of further prompts (DAPO's dynamic sampling,
    /// arXiv 2503.14476); 0 means never. What is left then takes part as it is. Figures and records are those of the groups that stayed; the
    /// replaced ones are counted in batch/replaced_groups, and their tokens in num_tokens.
    /// </summary>
    [Bounds(Minimum = 0)]
    public int MaxResampleTimes { get; init; }

    /// <summary>Rows of a prompt's group, demonstrations included: with 8 and one demonstration, 7 answers are sampled.</summary>
    [Bounds(Minimum = 1)]
    public int NumGenerations { get; init; } = 8;

    /// <summary>A completion that reaches this length is cut off. In tokens, end-of-text included.</summary>
    [Bounds(Minimum = 1)]
    public int MaxCompletionLength { get; init; } = 8192;

    /// <summary>Logits are divided by this, when sampling and in the loss.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double Temperature { get; init; } = 1;

    /// <summary>Sample from the fewest tokens whose probabilities sum to at least this; 1 means from all.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true, Maximum = 1)]
    public double TopP { get; init; } = 1;

    /// <summary>Sample from this many most probable tokens; 0 means from all.</summary>
    [Bounds(Minimum = 0)]
    public int TopK { get; init; }

    /// <summary>Leave out tokens less probable than this share of the most probable one; 0 means none.</summary>
    [Bounds(Minimum = 0, Maximum = 1, BelowMaximum = true)]
    public double MinP { get; init; }

    /// <summary>Sequences decoded at the same time. Changes speed and memory, never a token.</summary>
    [Bounds(Minimum = 1)]
    public int RolloutBatchSize { get; init; } = 64;

    /// <summary>
    /// Tokens whose keys and values are kept while sampling, at least those of one longest sequence. 0 makes room for a full batch of the
    /// longest sequences where 1 GiB suffices, else takes 1 GiB or a quarter of that room, whichever is more. Where it runs out, sequences wait
    /// or are computed again. Changes speed and memory, never a token.
    /// </summary>
    [Bounds(Minimum = 0)]
    public int KvCacheTokens { get; init; }
}
