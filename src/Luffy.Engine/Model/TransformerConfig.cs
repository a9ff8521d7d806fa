using System.Text.Json;

namespace Luffy.Engine.Model;

/// <summary>The architecture of a Qwen2, Qwen3 or Llama model, as its Hugging Face <c>config.json</c> states it.</summary>
public sealed record TransformerConfig
{
    /// <summary><c>qwen2</c>, <c>qwen3</c> or <c>llama</c>.</summary>
    public required string ModelType { get; init; }

    /// <summary>Width of the residual stream (H).</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Number of layers (L).</summary>
    public required int Layers { get; init; }

    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Key and value heads.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>Elements of a head (D).</summary>
    public required int HeadDim { get; init; }

    /// <summary>Width of the feed-forward layer (I).</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Rows of the embedding (V).</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Longest context.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>ε of every norm.</summary>
    public float RmsNormEpsilon { get; init; } = 1e-6f;

    /// <summary>Base of the rotary frequencies.</summary>
    public double RopeTheta { get; init; } = 10000;

    /// <summary>Frequency scaling, or null.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>True where the LM head is the embedding.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>True where the query, key and value projections have a bias.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>True where each head of queries and keys is normed before it is rotated.</summary>
    public bool QkNorm { get; init; }

    /// <summary>Low-rank adapters on projections of every layer, or null.</summary>
    public LowRankConfig? Adapters { get; init; }

    /// <summary>Query, key and value heads of one token.</summary>
    public int PackedHeads => Heads + (2 * KeyValueHeads);

    /// <summary>Reads <c>config.json</c> of a model directory.</summary>
    /// <param name="directory">The directory, as <see cref="ModelDirectory.Resolve"/> gives it.</param>
    /// <param name="overrides">What a run says instead of the file; null for nothing.</param>
    /// <exception cref="LuffyException">The file is missing or malformed, or asks for something that this engine does not have.</exception>
    public static TransformerConfig Load(string directory, ConfigOverrides? overrides = null) => ModelConfigFile.Open(directory, overrides).Architecture;

    /// <summary>The same as Hugging Face's <c>config.json</c>, for checkpoints of models made here.</summary>
    public string ToJson(int? endOfTextId = null)
    {
        var json = new Dictionary<string, object?>
        {
            ["architectures"] = new[] { ModelType switch { "qwen2" => "Qwen2ForCausalLM", "qwen3" => "Qwen3ForCausalLM", _ => "LlamaForCausalLM" } },
            ["model_type"] = ModelType,
            ["hidden_size"] = HiddenSize,
            ["num_hidden_layers"] = Layers,
            ["num_attention_heads"] = Heads,
            ["num_key_value_heads"] = KeyValueHeads,
            ["head_dim"] = HeadDim,
            ["intermediate_size"] = IntermediateSize,
            ["vocab_size"] = VocabularySize,
            ["max_position_embeddings"] = MaxPositions,
            ["rms_norm_eps"] = (double)(decimal)RmsNormEpsilon,
            ["rope_theta"] = RopeTheta,
            ["tie_word_embeddings"] = TieWordEmbeddings,
            ["hidden_act"] = "silu",
            ["torch_dtype"] = "bfloat16",
        };
        if (ModelType != "qwen2") json["attention_bias"] = AttentionBias;
        if (endOfTextId is not null) json["eos_token_id"] = endOfTextId;
        if (RopeScaling is { } s)
        {
            var scaling = new Dictionary<string, object> { ["rope_type"] = s.TypeName };
            foreach ((string key, object value) in s.Members) scaling[key] = value;
            json["rope_scaling"] = scaling;
        }

        return JsonSerializer.Serialize(json, IndentedJson) + "\n";
    }

    private static readonly JsonSerializerOptions IndentedJson = new() { WriteIndented = true };
}
