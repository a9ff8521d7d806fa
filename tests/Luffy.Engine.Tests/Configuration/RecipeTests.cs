using Luffy.Engine.Configuration;
using Luffy.Engine.Model;
using Luffy.Engine.Rl;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Configuration;

public sealed class RecipeTests
{
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("luffy-recipes").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    private static IEnumerable<string> TrainingRecipes => Recipes.Names.Where(n => !n.StartsWith("pretrain-", StringComparison.Ordinal) && !n.StartsWith("compare", StringComparison.Ordinal));

    private string File(string name, string yaml)
    {
        string path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        System.IO.File.WriteAllText(path, yaml);
        return path;
    }

    private static string Message(string path)
    {
        LuffyException e = Assert.Throws<LuffyException>(() => ConfigurationLoader.LoadTraining(path, []))!;
        Assert.That(e.ExitCode, Is.EqualTo(2));
        return e.Message;
    }

    [TestCaseSource(nameof(TrainingRecipes))]
    public void A_built_in_recipe_loads_by_its_name_and_resolves_to_a_flat_configuration(string name)
    {
        TrainingConfiguration loaded = ConfigurationLoader.LoadTraining(name, []);
        string yaml = ConfigurationWriter.ToYaml(loaded);
        Assert.That(yaml, Does.Not.Contain("extends"));
        Assert.That(ConfigurationWriter.ToYaml(ConfigurationLoader.ParseTraining(yaml, "config.yaml", [])), Is.EqualTo(yaml));
        // Those for models that are not here are planned in RunPlanTests.
        if (loaded.Model.ModelNameOrPath.Contains('/', StringComparison.Ordinal)) return;
        using IBackend backend = TestBackends.Create("reference");
        var plan = new MemoryPlan(backend, loaded, TransformerConfig.Load(ModelDirectory.Resolve(BuiltInModel.Name)), DType.F32, loaded.Data.MaxPromptLength);
        Assert.That(plan.Bytes, Is.InRange(1 << 20, 1L << 30));
    }

    [Test]
    public void Every_method_extends_a_recipe_and_names_its_source()
    {
        Assert.That(Recipes.Methods, Is.SupersetOf(new[] { "sft", "grpo", "dr-grpo", "luffy", "luffy-longer", "mixed", "sft-then-rl", "dapo", "rloo", "hpt" }));
        Assert.That(Recipes.Names, Is.Unique.And.Contains(Recipes.Quickstart));
        foreach (string name in Recipes.Methods)
        {
            string yaml = Recipes.Read(name);
            Assert.That(yaml, Does.StartWith("# ").And.Contain("\nextends: "), name);
            Assert.That(yaml.Contains("arXiv", StringComparison.Ordinal) || name is "sft" or "sft-then-rl", name);
        }
        Assert.That(Recipes.Find("methods/luffy"), Is.EqualTo("luffy"));
        Assert.That(() => Recipes.Read("nothing"), Throws.TypeOf<LuffyException>().With.Message.Contains("quickstart"));
    }

    [Test]
    public void A_recipe_has_what_it_extends_and_its_own_keys_on_top()
    {
        TrainingConfiguration quickstart = ConfigurationLoader.LoadTraining(null, []), longer = ConfigurationLoader.LoadTraining("luffy-longer", []);
        Assert.That((longer.Rollout.PromptsPerStep, longer.Optimizer.MaxSteps), Is.EqualTo((quickstart.Rollout.PromptsPerStep, 200)));
        // The method of the upper text decides the defaults.
        Assert.That(ConfigurationLoader.LoadTraining("grpo", []).Guidance.NumDemonstrations, Is.Zero);
    }

    [Test]
    public void A_file_extends_another_beside_it_and_what_is_set_wins()
    {
        File("base/run.yaml", "extends: quickstart\nseed: 1\nmax_steps: 7\nloss_type: dapo");
        string top = File("top.yaml", "extends: base/run.yaml\nseed: 2\nloss_normalizer: sum\nlearning_rate: 1e-3");
        TrainingConfiguration c = ConfigurationLoader.LoadTraining(top, [ConfigurationOverride.Parse("learning_rate=2e-3")]);
        Assert.That((c.Seed, c.Optimizer.MaxSteps, c.Optimizer.LearningRate, c.Rollout.PromptsPerStep), Is.EqualTo((2, 7, 2e-3, 24)));
        Assert.That((c.Loss.LossNormalizer, c.Loss.LossType), Is.EqualTo((LossNormalizer.Sum, (LossType?)null)));
    }

    [Test]
    public void What_cannot_be_extended_is_named()
    {
        string top = Path.Combine(_folder, "top.yaml");
        File("top.yaml", "seed: 1\nextends: lufy");
        Assert.That(Message(top), Is.EqualTo($"{top}:2: extends: there is no built-in recipe 'lufy' (and a file's name ends in .yaml); did you mean 'luffy'?"));
        File("top.yaml", "extends: none.yaml");
        Assert.That(Message(top), Is.EqualTo($"{top}:1: extends: the file {Path.Combine(_folder, "none.yaml")} does not exist."));
        File("top.yaml", "extends: [a, b]");
        Assert.That(Message(top), Does.Contain("found a list, expected the name of a recipe or a YAML file"));
        File("top.yaml", "extends: luffy\nlearning_rat: 1");
        Assert.That(Message(top), Is.EqualTo($"{top}:2: unknown key 'learning_rat'; did you mean 'learning_rate'?"));
    }

    [Test]
    public void A_circle_is_named()
    {
        string a = File("a.yaml", "extends: b.yaml"), b = File("b.yaml", "extends: ./a.yaml");
        Assert.That(Message(a), Does.StartWith($"{b}:1: extends: {a} extends {b} extends ").And.Contains("which never ends"));
        File("a.yaml", "extends: a.yaml");
        Assert.That(Message(a), Does.Contain("which never ends"));
    }

    [Test]
    public void A_text_without_a_folder_extends_recipes_alone()
    {
        Assert.That(ConfigurationLoader.ParseTraining("extends: quickstart", "text", []).Rollout.PromptsPerStep, Is.EqualTo(24));
        Assert.That(() => ConfigurationLoader.ParseTraining("extends: a.yaml", "text", []), Throws.TypeOf<LuffyException>().With.Message.Contains("in no folder"));
    }
}
