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
    }

    /// <summary>
    /// What rotary frequencies are divided by, [D/2], for the tensor <c>rope_freqs.weight</c>, by which llama.cpp scales a Llama's; null where they
    /// are not scaled.
    /// </summary>
    /// <exception cref="LuffyException">llama.cpp has no such tensor for this architecture.</exception>
    public static float[]? FrequencyFactors(TransformerConfig config, string directory)
    {
        if (config.RopeScaling is null or DynamicRopeScaling) return null;
        if (config.ModelType != "llama" || config.RopeScaling.AttentionFactor != 1)
            throw new LuffyException($"{directory}: rope_scaling of type {config.RopeScaling.TypeName} in a {config.ModelType} model has no such tensor in llama.cpp; it cannot be exported.");
        double[] scaled = RopeTable.Frequencies(config), plain = RopeTable.Frequencies(config with { RopeScaling = null });
        return [.. scaled.Zip(plain, (s, p) => (float)(p / s))];
    }
}
