using System.Text.Json;
using System.Text.Json.Nodes;
using Luffy.Engine.Checkpoint;
using Luffy.Engine.Model;

namespace Luffy.Engine.Tests.Model;

public sealed class ModelConfigFileTests
{
    // Members that this engine has no use for, a number as Python writes it, a character beyond ASCII, several ends of text.
    private const string Original = """
        {
          "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "note": "naïve <tag>",
          "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, "vocab_size": 16,
          "eos_token_id": [1, 2], "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "max_position_embeddings": 4096,
          "torch_dtype": "bfloat16", "transformers_version": "4.44.0"
        }

        """;

    [Test]
    public void Without_changes_the_file_is_saved_byte_for_byte()
    {
        using var folder = new ModelFolder(Original);
        Assert.That(ModelConfigFile.Open(folder.Path).TextFor(SafeTensorsDType.BF16), Is.EqualTo(Original));
    }

    [Test]
    public void The_storage_type_is_the_one_that_is_saved_and_everything_else_stays()
    {
        using var folder = new ModelFolder(Original);
        JsonObject expected = JsonNode.Parse(Original)!.AsObject();
        expected["torch_dtype"] = "float32";
        string text = ModelConfigFile.Open(folder.Path).TextFor(SafeTensorsDType.F32);
        Assert.That(JsonNode.DeepEquals(JsonNode.Parse(text), expected));
        Assert.That(text, Does.Contain("naïve <tag>").And.Contain("1e-06").And.Contain("10000.0"));
    }

    [Test]
    public void What_a_run_says_instead_counts_at_once_and_is_saved()
    {
        using var folder = new ModelFolder(Original);
        ModelConfigFile file = ModelConfigFile.Open(folder.Path, new ConfigOverrides(40000, 16384));
        Assert.That((file.Architecture.RopeTheta, file.Architecture.MaxPositions), Is.EqualTo((40000.0, 16384)));
        string text = file.TextFor(SafeTensorsDType.BF16);
        Assert.That(text, Does.Contain("\"rope_theta\": 40000.0"));
        using var saved = new ModelFolder(text);
        Assert.That(TransformerConfig.Load(saved.Path), Is.EqualTo(file.Architecture));
        JsonObject rest = JsonNode.Parse(text)!.AsObject(), original = JsonNode.Parse(Original)!.AsObject();
        foreach (JsonObject one in new[] { rest, original })
            foreach (string key in new[] { "rope_theta", "max_position_embeddings" }) one.Remove(key);
        Assert.That(JsonNode.DeepEquals(rest, original));
    }

    [Test]
    public void A_base_within_rope_parameters_gives_way_too()
    {
        using var folder = new ModelFolder(ModelFolder.Qwen2With("\"dtype\":\"float32\",\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":1000000.0}"));
        ModelConfigFile file = ModelConfigFile.Open(folder.Path, new ConfigOverrides(RopeTheta: 12345.5));
        Assert.That(file.Architecture.RopeTheta, Is.EqualTo(12345.5));
        using JsonDocument saved = JsonDocument.Parse(file.TextFor(SafeTensorsDType.BF16));
        Assert.That(saved.RootElement.GetProperty("rope_parameters").GetProperty("rope_theta").GetDouble(), Is.EqualTo(12345.5));
        Assert.That(saved.RootElement.GetProperty("dtype").GetString(), Is.EqualTo("bfloat16"));
        Assert.That(saved.RootElement.TryGetProperty("torch_dtype", out _), Is.False);
    }

    [TestCase("[]", "it does not hold a JSON object")]
    [TestCase("null", "it does not hold a JSON object")]
    [TestCase("{\n\"a\": }", "line 2: not valid JSON")]
    public void A_file_that_is_no_config_is_named(string text, string expected)
    {
        using var folder = new ModelFolder(text);
        Assert.That(() => ModelConfigFile.Open(folder.Path), Throws.InstanceOf<LuffyException>().With.Message.Contains(expected));
    }
}
