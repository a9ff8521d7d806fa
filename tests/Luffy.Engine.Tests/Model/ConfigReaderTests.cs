using Luffy.Engine.Model;

namespace Luffy.Engine.Tests.Model;

public sealed class ConfigReaderTests
{
    [TestCase("\"rope_theta\":0", "'rope_theta' is 0; expected a positive number")]
    [TestCase("\"rms_norm_eps\":-1", "'rms_norm_eps' is -1; expected a positive number")]
    [TestCase("\"rope_theta\":1e999", "'rope_theta' is Infinity; expected a positive number")]
    [TestCase("\"hidden_size\":1000000000", "'hidden_size' is 1000000000; expected an integer from 1 to 16777216")]
    [TestCase("\"num_hidden_layers\":1.5", "'num_hidden_layers' is 1.5; expected an integer")]
    [TestCase("\"hidden_act\":3", "'hidden_act' is 3; expected silu")]
    [TestCase("\"rope_scaling\":{\"rope_type\":7}", "rope_scaling type '7' is not one of those")]
    [TestCase("\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":0}", "'factor' is 0; expected a positive number")]
    public void A_value_that_no_model_has_is_named(string member, string expected)
    {
        string folder = Directory.CreateTempSubdirectory("luffy-test-").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "config.json"), $$"""
                {"model_type":"qwen2","hidden_size":8,"num_hidden_layers":1,"num_attention_heads":2,"intermediate_size":8,"vocab_size":16,{{member}}}
                """);
            Assert.That(() => TransformerConfig.Load(folder), Throws.InstanceOf<LuffyException>().With.Message.Contains(expected));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
