using System.Text.Json;
using System.Text.Json.Nodes;
using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Model;

/// <summary>Rotary settings in every form that config.json has had, against frequencies that PyTorch computed in f64 (tests/oracles).</summary>
public sealed class RopeScalingTests
{
    private static IEnumerable<TestCaseData> Cases() =>
        Fixtures.Json("rope.json").EnumerateObject().Select(c => new TestCaseData(c.Value).SetArgDisplayNames(c.Name));

    [TestCaseSource(nameof(Cases))]
    public void Frequencies_and_factor_are_those_of_transformers(JsonElement expected)
    {
        TransformerConfig config = Read(expected.GetProperty("config"));
        double factor = expected.GetProperty("attention_factor").GetDouble();
        double[] frequencies = [.. expected.GetProperty("frequencies").EnumerateArray().Select(f => f.GetDouble())];
        Assert.That(RopeTable.Frequencies(config), Is.EqualTo(frequencies).Within(1e-9).Percent);
        Assert.That(config.RopeScaling?.AttentionFactor ?? 1, Is.EqualTo(factor).Within(1e-9).Percent);

        float[] table = RopeTable.Create(config, 4);
        for (int i = 0; i < frequencies.Length; i++)
        {
            Assert.That(table[(3 * config.HeadDim) + i], Is.EqualTo(factor * Math.Cos(3 * frequencies[i])).Within(1e-6));
            Assert.That(table[(3 * config.HeadDim) + frequencies.Length + i], Is.EqualTo(factor * Math.Sin(3 * frequencies[i])).Within(1e-6));
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void A_config_written_here_reads_as_it_was(JsonElement expected)
    {
        TransformerConfig config = Read(expected.GetProperty("config"));
        using var folder = new ModelFolder(config.ToJson());
        Assert.That(TransformerConfig.Load(folder.Path), Is.EqualTo(config));
    }

    [Test]
    public void Dynamic_scaling_ends_at_the_window()
    {
        using var folder = new ModelFolder(ModelFolder.Qwen2With("\"max_position_embeddings\":64,\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":4}"));
        TransformerConfig config = TransformerConfig.Load(folder.Path);
        using IBackend backend = TestBackends.Create("reference");
        using (var model = new TransformerModel(backend, config, 64)) Assert.That(model.MaxLength, Is.EqualTo(64));
        Assert.That(() => new TransformerModel(backend, config, 65), Throws.InstanceOf<LuffyException>()
            .With.Message.Contains("window of 64").And.Message.Contains("dynamic, which is supported within the window alone"));
    }

    // The fixture has what counts for rotary positions; the rest may be anything.
    private static TransformerConfig Read(JsonElement settings)
    {
        JsonObject json = JsonNode.Parse(settings.GetRawText())!.AsObject();
        foreach (string key in new[] { "num_hidden_layers", "intermediate_size", "vocab_size" }) json[key] = 8;
        using var folder = new ModelFolder(json.ToJsonString());
        return TransformerConfig.Load(folder.Path);
    }
}
