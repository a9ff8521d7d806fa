using Luffy.Engine.Model;

namespace Luffy.Engine.Checkpoint.Gguf;

/// <summary>Writes an architecture as GGUF's keys.</summary>
internal static class GgufHyperparameters
{
    /// <summary>Adds the keys; llama.cpp calls these architectures by the names that <c>model_type</c> has.</summary>
    public static void Add(GgufMetadata metadata, TransformerConfig config)
    {
        string a = config.ModelType;
        metadata.Add($"{a}.vocab_size", (uint)config.VocabularySize);
        metadata.Add($"{a}.context_length", (uint)config.MaxPositions);
        metadata.Add($"{a}.embedding_length", (uint)config.HiddenSize);
        metadata.Add($"{a}.block_count", (uint)config.Layers);
        metadata.Add($"{a}.feed_forward_length", (uint)config.IntermediateSize);
        metadata.Add($"{a}.attention.head_count", (uint)config.Heads);
        metadata.Add($"{a}.attention.head_count_kv", (uint)config.KeyValueHeads);
        metadata.Add($"{a}.attention.key_length", (uint)config.HeadDim);
        metadata.Add($"{a}.attention.value_length", (uint)config.HeadDim);
        metadata.Add($"{a}.attention.layer_norm_rms_epsilon", config.RmsNormEpsilon);
        metadata.Add($"{a}.rope.dimension_count", (uint)config.HeadDim);
        metadata.Add($"{a}.rope.freq_base", (float)config.RopeTheta);
        AddScaling(metadata, a, config.RopeScaling);
    }

    /// <summary>
    /// What rotary frequencies are divided by, [D/2], for the tensor <c>rope_freqs.weight</c>, by which llama.cpp scales Llama 3.1's; null for
    /// every other scaling.
    /// </summary>
    /// <exception cref="LuffyException">llama.cpp has no such tensor for this architecture.</exception>
    public static float[]? FrequencyFactors(TransformerConfig config, string directory)
    {
        if (config.RopeScaling is not Llama3RopeScaling) return null;
        if (config.ModelType != "llama")
            throw new LuffyException($"{directory}: rope_scaling of type llama3 in a {config.ModelType} model is missing in llama.cpp; it cannot be exported.");
        double[] scaled = RopeTable.Frequencies(config), plain = RopeTable.Frequencies(config with { RopeScaling = null });
        return [.. scaled.Zip(plain, (s, p) => (float)(p / s))];
    }

    // dynamic scales nothing within the window, which is the context's length; and llama3 is a tensor.
    private static void AddScaling(GgufMetadata metadata, string architecture, RopeScaling? scaling)
    {
        string a = $"{architecture}.rope.scaling.";
        switch (scaling)
        {
            case LinearRopeScaling linear:
                metadata.Add(a + "type", "linear");
                metadata.Add(a + "factor", (float)linear.Factor);
                break;
            case YarnRopeScaling yarn:
                if (!yarn.Truncate) throw new LuffyException("rope_scaling of type yarn with truncate: false is missing in llama.cpp; it cannot be exported.");
                metadata.Add(a + "type", "yarn");
                metadata.Add(a + "factor", (float)yarn.Factor);
                metadata.Add(a + "original_context_length", (uint)yarn.OriginalMaxPositions);
                metadata.Add(a + "yarn_beta_fast", (float)yarn.BetaFast);
                metadata.Add(a + "yarn_beta_slow", (float)yarn.BetaSlow);
                // llama.cpp has YaRN's own factor in its rotation, and multiplies it by this.
                metadata.Add(a + "attn_factor", (float)(yarn.CosineFactor / YarnRopeScaling.DefaultCosineFactor(yarn.Factor, 0, 0)));
                break;
            default:
                break;
        }
    }
}
