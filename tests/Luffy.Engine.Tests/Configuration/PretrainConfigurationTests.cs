using Luffy.Engine.Configuration;

namespace Luffy.Engine.Tests.Configuration;

public sealed class PretrainConfigurationTests
{
    private const string Yaml = """
        output_dir: out
        hidden_size: 128
        num_attention_heads: 4
        num_key_value_heads: 2
        stages:
          - name: teach
            max_steps: 10
            families:
              - family: addition
              - {family: subtraction, weight: 2, think_rate: 0.5}
          - name: bury
            learning_rate: 1e-4
            families:
              - family: addition
        """;

    private static PretrainConfiguration Load(string yaml)
    {
        string path = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"pretrain-{Guid.NewGuid():n}.yaml");
        File.WriteAllText(path, yaml);
        try
        {
            return ConfigurationLoader.LoadPretrain(path, []);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Test]
    public void Stages_and_their_families_are_read()
    {
        PretrainConfiguration c = Load(Yaml);
        Assert.That(c.Architecture.HiddenSize, Is.EqualTo(128));
        Assert.That(c.Stages.Select(s => s.Name), Is.EqualTo(new[] { "teach", "bury" }));
        Assert.That(c.Stages[0].Families[1], Is.EqualTo(new PretrainFamilyOptions { Family = "subtraction", Weight = 2, ThinkRate = 0.5 }));
    }

    [TestCase("pretrain-base", null, "teach", "bury")]
    [TestCase("pretrain-harder-teach", null, "teach")]
    [TestCase("pretrain-harder-bury", "harder-taught", "bury")]
    public void The_recipes_of_the_built_in_models_are_read(string name, string? initialModel, params string[] stages)
    {
        PretrainConfiguration c = Load(Recipes.Read(name));
        Assert.That(c.Stages.Select(s => s.Name), Is.EqualTo(stages));
        Assert.That(c.InitialModel, Is.EqualTo(initialModel));
    }

    [Test]
    public void A_printed_configuration_reads_back_the_same()
    {
        string printed = ConfigurationWriter.ToYaml(Load(Yaml));
        Assert.That(ConfigurationWriter.ToYaml(Load(printed)), Is.EqualTo(printed));
    }

    [Test]
    public void A_mistake_within_a_stage_is_named_with_its_line()
    {
        string wrong = Yaml.Replace("think_rate: 0.5", "think_rate: 5", StringComparison.Ordinal);
        Assert.That(() => Load(wrong), Throws.TypeOf<LuffyException>().With.Message.Match(@"\.yaml:10: think_rate: found 5, expected a number with 0 ≤ think_rate ≤ 1\."));
        wrong = Yaml.Replace("max_steps: 10", "max_step: 10", StringComparison.Ordinal);
        Assert.That(() => Load(wrong), Throws.TypeOf<LuffyException>().With.Message.Match(@"\.yaml:7: unknown key 'max_step'; did you mean 'max_steps'"));
    }

    [TestCase("stages: []\noutput_dir: x", "stages")]
    [TestCase("seed: 1", "output_dir")]
    [TestCase("output_dir: x\nnum_attention_heads: 3\nstages: [{families: [{family: addition}]}]", "num_attention_heads")]
    [TestCase("output_dir: x\nstages: [{name: a}]", "families")]
    [TestCase("output_dir: x\nstages: [3]", "a map with name, max_steps")]
    public void What_is_missing_or_contradictory_is_named(string yaml, string named) =>
        Assert.That(() => Load(yaml), Throws.TypeOf<LuffyException>().With.Message.Contains(named));
}
