using Luffy.Engine.Configuration;
using Luffy.Engine.Pretraining;
using Luffy.Engine.Reporting;
using Luffy.Engine.Rewards;

namespace Luffy.Engine.Tests.Pretraining;

public sealed class PretrainerTests
{
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("luffy-pretrain").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    private PretrainConfiguration Tiny(string output, string? initial, double rate, int width = 32) => new()
    {
        OutputDir = Path.Combine(_folder, output),
        Backend = "reference",
        Architecture = new ArchitectureOptions { HiddenSize = width, NumHiddenLayers = 1, NumAttentionHeads = 2, NumKeyValueHeads = 1, IntermediateSize = 32, MaxPositionEmbeddings = 256 },
        InitialModel = initial is null ? null : Path.Combine(_folder, initial),
        WeightDecay = 0,
        TokensPerMicroBatch = 512,
        EvalItemsPerFamily = 0,
        Stages = [new PretrainStage { MaxSteps = 1, ExamplesPerStep = 2, LearningRate = rate, Families = [new PretrainFamilyOptions { Family = "addition", Level = 1 }] }],
    };

    private byte[] Train(PretrainConfiguration config)
    {
        new Pretrainer(config, RewardRegistry.Verifier(["math"]), new RunConsole(TextWriter.Null, live: false, quiet: true)).Run();
        return File.ReadAllBytes(Path.Combine(config.OutputDir, "model.safetensors"));
    }

    [Test]
    public void Training_goes_on_from_an_initial_model()
    {
        byte[] first = Train(Tiny("first", null, 1e-2));
        Assert.That(Train(Tiny("same", "first", 0)), Is.EqualTo(first), "a learning rate of 0 changes nothing");
        Assert.That(Train(Tiny("further", "first", 1e-2)), Is.Not.EqualTo(first));
        Assert.That(Train(Tiny("anew", null, 0)), Is.Not.EqualTo(first));
    }

    [Test]
    public void An_initial_model_of_another_shape_is_refused_and_nothing_is_left()
    {
        Train(Tiny("first", null, 1e-2));
        Assert.That(() => Train(Tiny("wide", "first", 0, width: 64)), Throws.InstanceOf<LuffyException>().With.Message.Contains("first"));
        Assert.That(Directory.Exists(Path.Combine(_folder, "wide")), Is.False);
    }
}
