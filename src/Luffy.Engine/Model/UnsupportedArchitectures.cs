namespace Luffy.Engine.Model;

/// <summary>Well-known architectures that this engine does not have, and what each needs that is missing here.</summary>
internal static class UnsupportedArchitectures
{
    private const string Experts = "mixture-of-experts layers are missing here";
    private const string Images = "images and rotary positions in three dimensions (M-RoPE) are missing here";
    private const string LayerNorms = "LayerNorm, biases in every projection and a GELU feed-forward layer are missing here";

    private static readonly Dictionary<string, string> Missing = new(StringComparer.Ordinal)
    {
        ["mistral"] = "sliding-window attention is missing here (where sliding_window is null the network is Llama's: a copy whose config.json says " +
            "model_type llama and architectures LlamaForCausalLM can be read)",
        ["mixtral"] = Experts,
        ["qwen"] = "fused projections under other names and a tokenizer in the form of code are missing here (Qwen2 and later models are supported)",
        ["qwen2_moe"] = Experts,
        ["qwen3_moe"] = Experts,
        ["olmoe"] = Experts,
        ["granitemoe"] = Experts,
        ["phimoe"] = Experts,
        ["dbrx"] = Experts,
        ["qwen3_next"] = "linear attention (gated delta networks) and mixture-of-experts layers are missing here",
        ["qwen2_vl"] = Images,
        ["qwen2_5_vl"] = Images,
        ["qwen3_vl"] = Images,
        ["mllama"] = "images and layers of cross-attention are missing here",
        ["llava"] = "images are missing here",
        ["llama4"] = "mixture-of-experts layers, attention in chunks and layers without rotary positions are missing here",
        ["llama4_text"] = "mixture-of-experts layers, attention in chunks and layers without rotary positions are missing here",
        ["gpt_oss"] = "mixture-of-experts layers, attention sinks and sliding-window attention are missing here",
        ["deepseek_v2"] = "multi-head latent attention (MLA) and mixture-of-experts layers are missing here",
        ["deepseek_v3"] = "multi-head latent attention (MLA) and mixture-of-experts layers are missing here",
        ["gemma"] = "norms that multiply by 1 + weight, a feed-forward layer of tanh-approximated GELU and scaled embeddings are missing here",
        ["gemma2"] = "norms that multiply by 1 + weight, a feed-forward layer of tanh-approximated GELU, capped logits and sliding-window attention are missing here",
        ["gemma3"] = "images, norms that multiply by 1 + weight, a feed-forward layer of tanh-approximated GELU and sliding-window attention are missing here",
        ["gemma3_text"] = "norms that multiply by 1 + weight, a feed-forward layer of tanh-approximated GELU and sliding-window attention are missing here",
        ["phi"] = "LayerNorm, attention and feed-forward layers side by side, and rotary positions on a part of a head are missing here",
        ["phi3"] = "fused projections under other names, longrope scaling and sliding-window attention are missing here",
        ["gpt2"] = "LayerNorm, learned positions and a GELU feed-forward layer are missing here",
        ["gpt_neo"] = "LayerNorm, learned positions and local attention are missing here",
        ["gpt_neox"] = "LayerNorm, attention and feed-forward layers side by side, and rotary positions on a part of a head are missing here",
        ["gptj"] = "LayerNorm, attention and feed-forward layers side by side, and interleaved rotary positions are missing here",
        ["opt"] = "LayerNorm, learned positions and a ReLU feed-forward layer are missing here",
        ["bloom"] = "LayerNorm and linear position biases (ALiBi) are missing here",
        ["mpt"] = "LayerNorm and linear position biases (ALiBi) are missing here",
        ["falcon"] = "LayerNorm, fused projections, and attention and feed-forward layers side by side are missing here",
        ["starcoder2"] = LayerNorms,
        ["stablelm"] = "LayerNorm and rotary positions on a part of a head are missing here",
        ["cohere"] = "LayerNorm, attention and feed-forward layers side by side, and scaled logits are missing here",
        ["cohere2"] = "LayerNorm, attention and feed-forward layers side by side, scaled logits and sliding-window attention are missing here",
        ["olmo"] = "LayerNorm without weights is missing here",
        ["olmo2"] = "norms behind the attention and feed-forward layers, and over all heads of queries and keys at once, are missing here",
        ["granite"] = "multipliers of embeddings, residuals, scores and logits are missing here",
        ["smollm3"] = "layers without rotary positions are missing here",
        ["chatglm"] = "fused projections under other names and rotary positions on a part of a head are missing here",
        ["glm"] = "a fused feed-forward projection and rotary positions on a part of a head are missing here",
        ["glm4"] = "a fused feed-forward projection, norms behind each layer and rotary positions on a part of a head are missing here",
        ["internlm2"] = "fused projections under other names are missing here",
        ["baichuan"] = "fused projections under other names are missing here",
        ["mamba"] = "state-space layers are missing here",
        ["jamba"] = "state-space and mixture-of-experts layers are missing here",
    };

    /// <summary>What a model type needs that is not here, as half a sentence; null for one that is not known at all.</summary>
    public static string? MissingFor(string modelType) => Missing.GetValueOrDefault(modelType);
}
