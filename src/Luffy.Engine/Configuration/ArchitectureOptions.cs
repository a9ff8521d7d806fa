namespace Luffy.Engine.Configuration;

/// <summary>The shape of a new model of the Qwen2 layout, under the names of Hugging Face's config.json.</summary>
public sealed record ArchitectureOptions
{
    /// <summary>A folder with tokenizer.json and tokenizer_config.json, or <c>builtin</c>.</summary>
    public string TokenizerNameOrPath { get; init; } = "builtin";

    /// <summary>Width of the residual stream.</summary>
    [Bounds(Minimum = 1)]
    public int HiddenSize { get; init; } = 160;

    /// <summary>Width of the feed-forward layers.</summary>
    [Bounds(Minimum = 1)]
    public int IntermediateSize { get; init; } = 480;

    /// <summary>Layers.</summary>
    [Bounds(Minimum = 1)]
    public int NumHiddenLayers { get; init; } = 4;

    /// <summary>Query heads.</summary>
    [Bounds(Minimum = 1)]
    public int NumAttentionHeads { get; init; } = 5;

    /// <summary>Key and value heads, each shared by the same number of query heads.</summary>
    [Bounds(Minimum = 1)]
    public int NumKeyValueHeads { get; init; } = 5;

    /// <summary>Longest sequence, in tokens.</summary>
    [Bounds(Minimum = 1)]
    public int MaxPositionEmbeddings { get; init; } = 512;

    /// <summary>Base of the rotary embedding's frequencies.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double RopeTheta { get; init; } = 10000;

    /// <summary>Added to the mean square in RMSNorm.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double RmsNormEps { get; init; } = 1e-6;

    /// <summary>Whether the output head is the embedding itself.</summary>
    public bool TieWordEmbeddings { get; init; } = true;

    /// <summary>Standard deviation of the initial weights.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>Checks what no key can check alone.</summary>
    /// <exception cref="LuffyException">The heads do not divide what they must.</exception>
    public void Validate()
    {
        if (HiddenSize % NumAttentionHeads != 0 || HiddenSize / NumAttentionHeads % 2 != 0)
            throw LuffyException.Usage($"hidden_size ({HiddenSize}) must be an even multiple of num_attention_heads ({NumAttentionHeads}).");
        if (NumAttentionHeads % NumKeyValueHeads != 0)
            throw LuffyException.Usage($"num_attention_heads ({NumAttentionHeads}) must be a multiple of num_key_value_heads ({NumKeyValueHeads}).");
    }
}
