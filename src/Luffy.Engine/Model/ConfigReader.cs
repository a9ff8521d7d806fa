using System.Text.Json;

namespace Luffy.Engine.Model;

/// <summary>Turns the JSON of <c>config.json</c> into a <see cref="TransformerConfig"/>, naming file, key, what was found and what was expected.</summary>
internal sealed class ConfigReader(string path, JsonElement root)
{
    public TransformerConfig Read()
    {
        if (root.ValueKind != JsonValueKind.Object) throw Bad("the file", root.ValueKind.ToString(), "a JSON object");
        string type = root.TryGetProperty("model_type", out JsonElement t) && t.ValueKind == JsonValueKind.String ? t.GetString()! : "";
        if (type is not ("qwen2" or "llama"))
            throw new LuffyException($"{path}: model_type '{type}' is not one of those that this engine has: qwen2, llama");
        RefuseUnknownBehavior(type);

        int hidden = Positive("hidden_size"), heads = Positive("num_attention_heads");
        var config = new TransformerConfig
        {
            ModelType = type,
            HiddenSize = hidden,
            Layers = Positive("num_hidden_layers"),
            Heads = heads,
            KeyValueHeads = Positive("num_key_value_heads", heads),
            HeadDim = Positive("head_dim", hidden / heads),
            IntermediateSize = Positive("intermediate_size"),
            VocabularySize = Positive("vocab_size"),
            MaxPositions = Positive("max_position_embeddings", type == "qwen2" ? 32768 : 2048, int.MaxValue),
            RmsNormEpsilon = (float)PositiveNumber(root, "rms_norm_eps", 1e-6),
            RopeTheta = RopeTheta(),
            RopeScaling = RopeScaling(),
            TieWordEmbeddings = Flag("tie_word_embeddings", false),
            AttentionBias = type == "qwen2" || Flag("attention_bias", false),
        };
        if (config.Heads % config.KeyValueHeads != 0)
            throw Bad("num_key_value_heads", $"{config.KeyValueHeads}", $"a divisor of num_attention_heads ({config.Heads})");
        if (config.HeadDim % 2 != 0) throw Bad("head_dim", $"{config.HeadDim}", "an even number");
        return config;
    }

    private void RefuseUnknownBehavior(string type)
    {
        if (Flag("use_sliding_window", false))
            throw new LuffyException($"{path}: use_sliding_window is true; sliding-window attention is missing here, set it to false if the context is shorter than the window");
        if (Flag("mlp_bias", false)) throw new LuffyException($"{path}: mlp_bias is true; biases in the feed-forward layer are missing here");
        if (type == "llama" && Flag("attention_bias", false))
            throw new LuffyException($"{path}: attention_bias is true; Llama's bias on the output projection is missing here");
        if (root.TryGetProperty("hidden_act", out JsonElement act) && act.ToString() is not ("silu" or "swish"))
            throw Bad("hidden_act", act.ToString(), "silu");
    }

    // Transformers 5 moved both rope settings into one object, rope_parameters.
    private JsonElement? RopeObject() =>
        root.TryGetProperty("rope_scaling", out JsonElement s) && s.ValueKind == JsonValueKind.Object ? s
        : root.TryGetProperty("rope_parameters", out JsonElement p) && p.ValueKind == JsonValueKind.Object ? p : null;

    private double RopeTheta()
    {
        double fallback = RopeObject() is { } o ? PositiveNumber(o, "rope_theta", 10000) : 10000;
        return PositiveNumber(root, "rope_theta", fallback);
    }

    private Llama3RopeScaling? RopeScaling()
    {
        if (RopeObject() is not { } scaling) return null;
        string kind = scaling.TryGetProperty("rope_type", out JsonElement k) || scaling.TryGetProperty("type", out k) ? k.ToString() : "default";
        return kind switch
        {
            "default" => null,
            "llama3" => new Llama3RopeScaling(PositiveNumber(scaling, "factor", null), PositiveNumber(scaling, "low_freq_factor", null),
                PositiveNumber(scaling, "high_freq_factor", null), (int)PositiveNumber(scaling, "original_max_position_embeddings", null)),
            _ => throw new LuffyException($"{path}: rope_scaling type '{kind}' is not one of those that this engine has: default, llama3"),
        };
    }

    // Far above the dimensions of any model there is, and products of two stay far from overflow.
    private const int LargestDimension = 1 << 24;

    private int Positive(string key, int? fallback = null, int maximum = LargestDimension)
    {
        double value = Number(root, key, fallback);
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

    private bool Flag(string key, bool fallback)
    {
        if (!root.TryGetProperty(key, out JsonElement value) || value.ValueKind == JsonValueKind.Null) return fallback;
        return value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Bad(key, value.ToString(), "true or false"),
        };
    }

    private LuffyException Bad(string key, string found, string expected) => new($"{path}: '{key}' is {found}; expected {expected}");
}
