using Luffy.Engine.Model;

namespace Luffy.Engine.Tests.Model;

public sealed class ConfigReaderTests
{
    [TestCase("\"rope_theta\":0", "'rope_theta' is 0; expected a positive number")]
    [TestCase("\"rms_norm_eps\":-1", "'rms_norm_eps' is -1; expected a positive number")]
    [TestCase("\"rope_theta\":1e999", "'rope_theta' is Infinity; expected a positive number")]
    [TestCase("\"max_position_embeddings\":1000000000000", "'max_position_embeddings' is 1000000000000; expected an integer from 1 to 2147483647")]
    [TestCase("\"head_dim\":1.5", "'head_dim' is 1.5; expected an integer")]
    [TestCase("\"head_dim\":20000000", "'head_dim' is 20000000; expected an integer from 1 to 16777216")]
    [TestCase("\"hidden_act\":3", "'hidden_act' is 3; expected silu")]
    [TestCase("\"rope_scaling\":{\"rope_type\":7}", "rope_scaling type '7' is not one of those")]
    [TestCase("\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":0}", "'factor' is 0; expected a positive number")]
    [TestCase("\"rope_scaling\":{\"type\":\"linear\"}", "'factor' is missing")]
    [TestCase("\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4,\"truncate\":1}", "'truncate' is 1; expected true or false")]
    [TestCase("\"rope_scaling\":{\"type\":\"longrope\",\"long_factor\":[1]}", "rope_scaling type 'longrope' is not supported")]
    [TestCase("\"rope_scaling\":{\"type\":\"mrope\",\"mrope_section\":[1]}", "positions in three dimensions")]
    [TestCase("\"partial_rotary_factor\":0.5", "partial_rotary_factor is 0.5; rotary positions on a part of a head")]
    [TestCase("\"rope_parameters\":{\"rope_type\":\"default\",\"partial_rotary_factor\":0.25}", "partial_rotary_factor is 0.25")]
    [TestCase("\"use_sliding_window\":true,\"sliding_window\":16,\"max_window_layers\":2", "a window of 16 tokens from layer 2 on; sliding-window attention is missing here")]
    [TestCase("\"layer_types\":[\"full_attention\",\"sliding_attention\"]", "layer_types has 'sliding_attention'")]
    [TestCase("\"mlp_bias\":true", "biases in the feed-forward layer")]
    [TestCase("\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4}", "quant_method 'gptq'")]
    [TestCase("\"architectures\":[\"Qwen2ForSequenceClassification\"]", "which is no language model")]
    [TestCase("\"rope_theta\":1,\"rope_theta\":2", "a key is there twice")]
    public void A_value_that_this_engine_cannot_follow_is_named(string member, string expected)
    {
        using var folder = new ModelFolder(ModelFolder.Qwen2With(member));
        Assert.That(() => TransformerConfig.Load(folder.Path), Throws.InstanceOf<LuffyException>()
            .With.Message.StartsWith(Path.Combine(folder.Path, "config.json")).And.Message.Contains(expected));
    }

    [TestCase("mistral", "sliding-window attention")]
    [TestCase("mixtral", "mixture-of-experts")]
    [TestCase("qwen3_moe", "mixture-of-experts")]
    [TestCase("gemma", "1 + weight")]
    [TestCase("gemma2", "capped logits")]
    [TestCase("phi3", "longrope")]
    [TestCase("gpt2", "learned positions")]
    [TestCase("deepseek_v3", "multi-head latent attention")]
    [TestCase("qwen2_vl", "images")]
    [TestCase("unheard_of", "is not one of those that this engine has")]
    public void A_model_that_is_not_here_is_refused_by_name_with_what_is_missing(string type, string expected)
    {
        using var folder = new ModelFolder(ModelFolder.With(type, "\"rope_theta\":1"));
        Assert.That(() => TransformerConfig.Load(folder.Path), Throws.InstanceOf<LuffyException>().With.Message.Contains($"model_type '{type}'").And.Message.Contains(expected));
    }

    [Test]
    public void Llamas_biases_are_refused()
    {
        using var folder = new ModelFolder(ModelFolder.With("llama", "\"attention_bias\":true"));
        Assert.That(() => TransformerConfig.Load(folder.Path), Throws.InstanceOf<LuffyException>().With.Message.Contains("attention_bias is true"));
    }

    // What real files say of windows that never act.
    [TestCase("\"use_sliding_window\":false,\"sliding_window\":16,\"max_window_layers\":2")]
    [TestCase("\"use_sliding_window\":true,\"sliding_window\":16,\"max_window_layers\":4")]
    [TestCase("\"use_sliding_window\":true,\"sliding_window\":64,\"max_window_layers\":2,\"max_position_embeddings\":64")]
    [TestCase("\"use_sliding_window\":true,\"sliding_window\":null,\"max_window_layers\":2")]
    [TestCase("\"use_sliding_window\":true,\"sliding_window\":16,\"max_window_layers\":0,\"layer_types\":[\"full_attention\",\"full_attention\"]")]
    public void A_window_that_never_acts_is_none(string members)
    {
        using var folder = new ModelFolder(ModelFolder.Qwen2With(members));
        Assert.That(TransformerConfig.Load(folder.Path).Layers, Is.EqualTo(4));
    }

    [Test]
    public void Llama_2_reads_with_its_defaults()
    {
        using var folder = new ModelFolder("""
            {"architectures":["LlamaForCausalLM"],"model_type":"llama","bos_token_id":1,"eos_token_id":2,"hidden_act":"silu","hidden_size":64,"initializer_range":0.02,
             "intermediate_size":172,"max_position_embeddings":4096,"num_attention_heads":4,"num_hidden_layers":2,"num_key_value_heads":null,"pretraining_tp":1,
             "rms_norm_eps":1e-05,"rope_scaling":null,"tie_word_embeddings":false,"attention_bias":null,"head_dim":null,"torch_dtype":"float16","vocab_size":32000}
            """);
        TransformerConfig config = TransformerConfig.Load(folder.Path);
        Assert.That((config.RopeTheta, config.KeyValueHeads, config.HeadDim, config.AttentionBias, config.TieWordEmbeddings), Is.EqualTo((10000.0, 4, 16, false, false)));
    }
}
