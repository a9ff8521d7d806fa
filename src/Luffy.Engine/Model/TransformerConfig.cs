using System.Text.Json;

namespace Luffy.Engine.Model;

/// <summary>Frequency scaling of Llama 3.1 (<c>rope_type: llama3</c>): long wavelengths are stretched, short ones kept, a ramp between.</summary>
/// <param name="Factor">How much the long wavelengths are stretched.</param>
/// <param name="LowFrequencyFactor">Wavelengths above original length / this are stretched in full.</param>
/// <param name="HighFrequencyFactor">Wavelengths below original length / this are kept.</param>
/// <param name="OriginalMaxPositions">Context length that the base model was trained with.</param>
public sealed record Llama3RopeScaling(double Factor, double LowFrequencyFactor, double HighFrequencyFactor, int OriginalMaxPositions);

/// <summary>The architecture of a Qwen2 or Llama model, as its Hugging Face <c>config.json</c> states it.</summary>
public sealed record TransformerConfig
{
    /// <summary><c>qwen2</c> or <c>llama</c>.</summary>
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
    public Llama3RopeScaling? RopeScaling { get; init; }

    /// <summary>True where the LM head is the embedding.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>True where the query, key and value projections have a bias.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Low-rank adapters on projections of every layer, or null.</summary>
    public LowRankConfig? Adapters { get; init; }

    /// <summary>Query, key and value heads of one token.</summary>
    public int PackedHeads => Heads + (2 * KeyValueHeads);

    /// <summary>Reads <c>config.json</c> of a model directory.</summary>
    /// <exception cref="LuffyException">The file is missing or malformed, or asks for something that this engine does not have.</exception>
    public static TransformerConfig Load(string directory)
    {
        string path = Path.Combine(directory, "config.json");
        if (!Directory.Exists(directory))
            throw new LuffyException($"{directory}: there is no such model directory; give a folder with config.json and model.safetensors");
        if (!File.Exists(path))
            throw new LuffyException($"{path}: missing; a model directory holds config.json and model.safetensors as Hugging Face writes them");
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            return new ConfigReader(path, document.RootElement).Read();
        }
        catch (JsonException e)
        {
            throw new LuffyException($"{path}: line {(e.LineNumber ?? 0) + 1}: not valid JSON ({e.Message})", innerException: e);
        }
    }

    /// <summary>The same as Hugging Face's <c>config.json</c>, for checkpoints of models made here.</summary>
    public string ToJson(int? endOfTextId = null)
    {
        var json = new Dictionary<string, object?>
        {
            ["architectures"] = new[] { ModelType == "qwen2" ? "Qwen2ForCausalLM" : "LlamaForCausalLM" },
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
        if (ModelType == "llama") json["attention_bias"] = AttentionBias;
        if (endOfTextId is not null) json["eos_token_id"] = endOfTextId;
        if (RopeScaling is { } s)
        {
            json["rope_scaling"] = new Dictionary<string, object>
            {
                ["rope_type"] = "llama3",
                ["factor"] = s.Factor,
                ["low_freq_factor"] = s.LowFrequencyFactor,
                ["high_freq_factor"] = s.HighFrequencyFactor,
                ["original_max_position_embeddings"] = s.OriginalMaxPositions,
            };
        }

        return JsonSerializer.Serialize(json, IndentedJson) + "\n";
    }

    private static readonly JsonSerializerOptions IndentedJson = new() { WriteIndented = true };
}
