using System.Text.Json;

namespace Luffy.Engine.Model;

/// <summary>Turns the JSON of <c>config.json</c> into a <see cref="TransformerConfig"/>, naming file, key, what was found and what was expected.</summary>
internal sealed partial class ConfigReader(string path, JsonElement root)
{
    private const int Qwen3HeadDim = 128;
    private static readonly string[] Supported = ["llama", "qwen2", "qwen3"];

    public TransformerConfig Read()
    {
        string type = root.TryGetProperty("model_type", out JsonElement t) && t.ValueKind == JsonValueKind.String ? t.GetString()! : "";
        RefuseUnsupported(type);
        RefuseUnknownBehavior(type);

        int hidden = Positive("hidden_size"), heads = Positive("num_attention_heads");
        int maxPositions = Positive("max_position_embeddings", type == "llama" ? 2048 : 32768, int.MaxValue);
        RefuseSlidingWindow(Positive("num_hidden_layers"), maxPositions);
        var config = new TransformerConfig
        {
            ModelType = type,
            HiddenSize = hidden,
            Layers = Positive("num_hidden_layers"),
            Heads = heads,
            KeyValueHeads = Positive("num_key_value_heads", heads),
            // Qwen3 alone has a default of its own.
            HeadDim = Positive("head_dim", type == "qwen3" ? Qwen3HeadDim : hidden / heads),
            IntermediateSize = Positive("intermediate_size"),
            VocabularySize = Positive("vocab_size"),
            MaxPositions = maxPositions,
            RmsNormEpsilon = (float)PositiveNumber(root, "rms_norm_eps", 1e-6),
            RopeTheta = RopeTheta(),
            RopeScaling = RopeScaling(maxPositions),
            TieWordEmbeddings = Flag(root, "tie_word_embeddings", false),
            AttentionBias = type == "qwen2",
            QkNorm = type == "qwen3",
        };
        if (config.Heads % config.KeyValueHeads != 0)
            throw Bad("num_key_value_heads", $"{config.KeyValueHeads}", $"a divisor of num_attention_heads ({config.Heads})");
        if (config.HeadDim % 2 != 0) throw Bad("head_dim", $"{config.HeadDim}", "an even number");
        return config;
    }

    private void RefuseUnsupported(string type)
    {
        if (!Supported.Contains(type))
        {
            throw new LuffyException(UnsupportedArchitectures.MissingFor(type) is { } missing
                ? $"{path}: model_type '{type}' is not supported, because {missing}; this engine has {string.Join(", ", Supported)}"
                : $"{path}: model_type '{type}' is not one of those that this engine has: {string.Join(", ", Supported)}");
        }

        if (root.TryGetProperty("quantization_config", out JsonElement quantization) && quantization.ValueKind == JsonValueKind.Object)
        {
            string method = quantization.TryGetProperty("quant_method", out JsonElement m) && m.ValueKind == JsonValueKind.String ? m.GetString()! : "unknown";
            throw new LuffyException($"{path}: quantization_config says that the weights are quantised (quant_method '{method}'), and reading those is missing here; " +
                "take the unquantised model, in bf16, f16 or f32");
        }

        if (root.TryGetProperty("architectures", out JsonElement names) && names.ValueKind == JsonValueKind.Array && names.GetArrayLength() > 0 &&
            !names.EnumerateArray().Any(n => n.ToString().EndsWith("ForCausalLM", StringComparison.Ordinal)))
        {
            throw new LuffyException($"{path}: architectures is {names.GetRawText()}, which is no language model: its head gives scores or vectors where " +
                "log-probs of tokens are needed; take the ...ForCausalLM model that it was made of");
        }
    }

    private void RefuseUnknownBehavior(string type)
    {
        if (Flag(root, "mlp_bias", false)) throw new LuffyException($"{path}: mlp_bias is true; biases in the feed-forward layer are missing here");
        // Qwen2 has no such key: its queries, keys and values have biases, its output has none.
        if (type != "qwen2" && Flag(root, "attention_bias", false))
            throw new LuffyException($"{path}: attention_bias is true; the bias on the output projection that comes with it is missing here");
        if (root.TryGetProperty("hidden_act", out JsonElement act) && act.ToString() is not ("silu" or "swish"))
            throw Bad("hidden_act", act.ToString(), "silu");
        foreach (JsonElement place in (ReadOnlySpan<JsonElement>)[root, RopeObject() ?? root])
        {
            if (Number(place, "partial_rotary_factor", 1) is var part && part != 1)
                throw new LuffyException($"{path}: partial_rotary_factor is {part}; rotary positions on a part of a head are missing here");
        }
    }

    // As in Transformers: the window acts only where use_sliding_window says so, and only from layer max_window_layers on.
    private void RefuseSlidingWindow(int layers, int maxPositions)
    {
        const string Missing = "sliding-window attention is missing here";
        if (root.TryGetProperty("layer_types", out JsonElement types) && types.ValueKind == JsonValueKind.Array)
        {
            string? other = types.EnumerateArray().Select(t => t.ToString()).FirstOrDefault(t => t != "full_attention");
            if (other is not null) throw new LuffyException($"{path}: layer_types has '{other}'; expected full_attention alone, because other attention, as with a sliding window, is missing here");
            return;
        }

        bool none = root.TryGetProperty("sliding_window", out JsonElement width) && width.ValueKind == JsonValueKind.Null;
        if (none || !Flag(root, "use_sliding_window", false)) return;
        double window = Number(root, "sliding_window", 4096), first = Number(root, "max_window_layers", 28);
        if (first < layers && window < maxPositions)
            throw new LuffyException($"{path}: use_sliding_window is true, with a window of {window} tokens from layer {first} on; {Missing}, set it to false if no context is longer than the window");
    }

    // Far above the dimensions of any model there is, and products of two stay far from overflow.
    private const int LargestDimension = 1 << 24;

    private int Positive(string key, int? fallback = null, int maximum = LargestDimension) => Positive(root, key, fallback, maximum);

    private int Positive(JsonElement parent, string key, int? fallback, int maximum)
    {
        double value = Number(parent, key, fallback);
        if (value < 1 || value > maximum || value != Math.Floor(value)) throw Bad(key, $"{value}", $"an integer from 1 to {maximum}");
        return (int)value;
    }

    private double PositiveNumber(JsonElement parent, string key, double? fallback) =>
        Number(parent, key, fallback) is var value && value > 0 && double.IsFinite(value) ? value : throw Bad(key, $"{value}", "a positive number");

    private double Number(JsonElement parent, string key, double? fallback)
    {
        if (!parent.TryGetProperty(key, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
            return fallback ?? throw new LuffyException($"{path}: '{key}' is missing; a number was expected");
        return value.ValueKind == JsonValueKind.Number ? value.GetDouble() : throw Bad(key, value.ToString(), "a number");
    }

    private bool Flag(JsonElement parent, string key, bool fallback)
    {
        if (!parent.TryGetProperty(key, out JsonElement value) || value.ValueKind == JsonValueKind.Null) return fallback;
        return value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Bad(key, value.ToString(), "true or false"),
        };
    }

    private LuffyException Bad(string key, string found, string expected) => new($"{path}: '{key}' is {found}; expected {expected}");
}
