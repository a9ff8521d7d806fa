using Luffy.Engine.Checkpoint;
using Luffy.Engine.Model;
using Luffy.Engine.Optim;
using Luffy.Engine.Rl;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Model;

/// <summary>Weights that are saved and read again give the same log-probs to the bit, for every architecture and storage type.</summary>
public sealed class SavedWeightsTests
{
    private string _folder = "";

    private static IEnumerable<TestCaseData> Cases() =>
        from backend in TestBackends.Names
        where backend != TestBackends.Cuda
        from model in ModelFixture.All
        from dtype in new[] { DType.F32, DType.Bf16 }
        from shards in new[] { false, true }
        select new TestCaseData(backend, model, dtype, shards).SetArgDisplayNames(backend, model.Name, dtype.Name(), shards ? "shards" : "one file");

    [SetUp]
    public void Begin() => _folder = Directory.CreateTempSubdirectory("luffy-saved-").FullName;

    [TearDown]
    public void End() => Directory.Delete(_folder, recursive: true);

    [TestCaseSource(nameof(Cases))]
    public void Trained_weights_score_the_same_after_they_are_saved_and_read(string backendName, ModelFixture fixture, DType dtype, bool shards)
    {
        using IBackend backend = TestBackends.Create(backendName);
        using TestModel trained = TestModel.Load(backend, fixture, dtype);
        using var optimizer = new AdamWOptimizer(backend, trained.Parameters.Layout, 0.9, 0.999, 1e-8, 0.01, 1);
        List<TrainingRow> rows = [.. fixture.Rows.Select(r => new TrainingRow { Ids = r.Ids, PromptLength = r.PromptLength, Advantage = r.Advantage })];
        for (int step = 0; step < 2; step++)
        {
            trained.Parameters.ZeroGradients();
            trained.Updater.Accumulate(trained.Parameters, rows, [.. rows.Select(_ => 1f)], new PolicyLossOptions(), new PolicyStatistics());
            optimizer.Update(trained.Parameters, 1e-3);
        }

        SafeTensorsDType stored = dtype == DType.F32 ? SafeTensorsDType.F32 : SafeTensorsDType.BF16;
        IReadOnlyList<string> files = SafeTensorsModelWriter.Write(_folder, ModelWeights.Sources(trained.Parameters, stored), shards ? 12_000 : SafeTensorsModelWriter.DefaultShardBytes);
        Assert.That(files, shards ? Has.Count.GreaterThan(3).And.Contains(SafeTensorsModel.IndexName) : Is.EqualTo(new[] { SafeTensorsModel.FileName }));
        using TestModel read = new(backend, trained.Config, dtype);
        ModelWeights.Load(read.Parameters, _folder);
        Assert.That(Score(read, fixture), Is.EqualTo(Score(trained, fixture)));
        using TestModel untrained = TestModel.Load(backend, fixture, dtype);
        Assert.That(Score(untrained, fixture), Is.Not.EqualTo(Score(trained, fixture)));
    }

    // What Transformers needs: its own names, no head where it is tied, and the mark without which it refuses a file.
    [Test]
    public void The_layout_is_the_one_that_was_read([Values] bool shards)
    {
        foreach (ModelFixture fixture in ModelFixture.All)
        {
            using IBackend backend = TestBackends.Create("reference");
            using TestModel model = TestModel.Load(backend, fixture, DType.F32);
            string folder = Path.Combine(_folder, fixture.Name);
            Directory.CreateDirectory(folder);
            SafeTensorsModelWriter.Write(folder, ModelWeights.Sources(model.Parameters, SafeTensorsDType.F32), shards ? 12_000 : SafeTensorsModelWriter.DefaultShardBytes);
            using SafeTensorsModel original = SafeTensorsModel.Open(fixture.ModelDirectory), saved = SafeTensorsModel.Open(folder);
            Assert.That(saved.Names, Is.EquivalentTo(original.Names));
            foreach (string name in saved.Names)
            {
                SafeTensorsFile file = saved.FileOf(name), before = original.FileOf(name);
                Assert.That(file.Metadata["format"], Is.EqualTo("pt"));
                Assert.That(file.Get(name).Shape, Is.EqualTo(before.Get(name).Shape), name);
                float[] a = new float[file.Get(name).ElementCount], b = new float[a.Length];
                file.ReadFloats(name, a);
                before.ReadFloats(name, b);
                Assert.That(a, Is.EqualTo(b), name);
            }
        }
    }

    // Every f16 number, normal, subnormal and zero, is an f32 number too, and stays it.
    [Test]
    public void Half_precision_is_read_exactly()
    {
        float[] halves = [.. Enumerable.Range(0, 1 << 16).Select(bits => (float)BitConverter.UInt16BitsToHalf((ushort)bits)).Where(float.IsFinite)];
        string path = Path.Combine(_folder, "halves.safetensors");
        SafeTensorsWriter.WriteFile(path, [TensorSource.FromFloats("halves", [halves.Length], SafeTensorsDType.F16, halves)]);
        var read = new float[halves.Length];
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        file.ReadFloats("halves", read);
        Assert.That(read.Select(BitConverter.SingleToUInt32Bits), Is.EqualTo(halves.Select(BitConverter.SingleToUInt32Bits)));
        Assert.That(halves.Min(h => h > 0 ? h : 1), Is.EqualTo(5.9604645e-8f), "the smallest subnormal is among them");

        using IBackend backend = TestBackends.Create("reference");
        ModelFixture fixture = ModelFixture.All[0];
        using TestModel model = TestModel.Load(backend, fixture, DType.F32);
        SafeTensorsModelWriter.Write(_folder, ModelWeights.Sources(model.Parameters, SafeTensorsDType.F16));
        using TestModel narrow = new(backend, model.Config, DType.F32);
        ModelWeights.Load(narrow.Parameters, _folder);
        Dictionary<string, float[]> expected = model.Weights(), actual = narrow.Weights();
        foreach ((string name, float[] values) in expected) Assert.That(actual[name], Is.EqualTo(values.Select(v => (float)(Half)v)), name);
    }

    private static float[][] Score(TestModel model, ModelFixture fixture) =>
        [.. model.Scorer.LogProbs(model.Parameters, [.. fixture.Score.Ids.Select(ids => new TrainingRow { Ids = ids, PromptLength = 1 })])];
}
