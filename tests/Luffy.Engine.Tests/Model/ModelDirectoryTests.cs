using Luffy.Engine.Checkpoint;
using Luffy.Engine.Model;

namespace Luffy.Engine.Tests.Model;

/// <summary>Names of Hub models, looked up in a cache that is laid out as huggingface_hub lays it out.</summary>
[TestFixture, NonParallelizable]
public sealed class ModelDirectoryTests
{
    private const string Name = "Org-1/Some.Model_x", Commit = "0123456789abcdef0123456789abcdef01234567";
    private static readonly string[] Variables = ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"];
    private readonly Dictionary<string, string?> _before = [];
    private string _folder = "";

    [SetUp]
    public void Begin()
    {
        _folder = Directory.CreateTempSubdirectory("luffy-hub-").FullName;
        foreach (string variable in Variables)
        {
            _before[variable] = Environment.GetEnvironmentVariable(variable);
            Environment.SetEnvironmentVariable(variable, null);
        }
    }

    [TearDown]
    public void End()
    {
        foreach (string variable in Variables) Environment.SetEnvironmentVariable(variable, _before[variable]);
        Directory.Delete(_folder, recursive: true);
    }

    [TestCase("HF_HUB_CACHE", "")]
    [TestCase("HUGGINGFACE_HUB_CACHE", "")]
    [TestCase("HF_HOME", "hub")]
    [TestCase("XDG_CACHE_HOME", "huggingface/hub")]
    [Platform("Unix")]
    public void A_name_is_found_in_the_cache_and_read_through_its_links(string variable, string below)
    {
        Environment.SetEnvironmentVariable(variable, _folder);
        string snapshot = MakeModel(Path.Combine(_folder, below), ModelFixture.All[0].ModelDirectory);
        string found = ModelDirectory.Resolve(Name);
        Assert.That(found, Is.EqualTo(snapshot));
        Assert.That(TransformerConfig.Load(found), Is.EqualTo(TransformerConfig.Load(ModelFixture.All[0].ModelDirectory)));
        using SafeTensorsModel weights = SafeTensorsModel.Open(found);
        Assert.That(weights.Contains("model.norm.weight"));
    }

    [Test]
    public void A_name_that_is_not_there_is_told_with_what_downloads_it()
    {
        Environment.SetEnvironmentVariable("HF_HUB_CACHE", _folder);
        Assert.That(() => ModelDirectory.Resolve("Qwen/Qwen2.5-Math-1.5B"), Throws.InstanceOf<LuffyException>()
            .With.Message.StartsWith("Qwen/Qwen2.5-Math-1.5B: ").And.Message.Contains(_folder).And.Message.EndsWith("download it with: hf download Qwen/Qwen2.5-Math-1.5B"));
    }

    [Test, Platform("Unix")]
    public void A_download_that_is_not_whole_is_told()
    {
        Environment.SetEnvironmentVariable("HF_HUB_CACHE", _folder);
        string snapshot = MakeModel(_folder, ModelFixture.All[0].ModelDirectory);
        File.Delete(Path.Combine(snapshot, "config.json"));
        Assert.That(() => ModelDirectory.Resolve(Name), Throws.InstanceOf<LuffyException>().With.Message.Contains("lacks config.json").And.Message.Contains($"hf download {Name}"));
        string reference = Path.Combine(_folder, "models--Org-1--Some.Model_x", "refs", "main");
        File.WriteAllText(reference, "../../elsewhere");
        Assert.That(() => ModelDirectory.Resolve(Name), Throws.InstanceOf<LuffyException>().With.Message.StartsWith(reference).And.Message.Contains("does not name a commit"));
        File.Delete(reference);
        Assert.That(() => ModelDirectory.Resolve(Name), Throws.InstanceOf<LuffyException>().With.Message.Contains("does not hold its revision main"));
    }

    [TestCase("/absolute/path")]
    [TestCase("./a/b")]
    [TestCase("../a")]
    [TestCase("a")]
    [TestCase("a/b/c")]
    [TestCase("a/-b")]
    public void What_cannot_be_a_Hub_name_is_a_path(string path) => Assert.That(ModelDirectory.Resolve(path), Is.EqualTo(path));

    private static string MakeModel(string cache, string source)
    {
        string model = Path.Combine(cache, "models--Org-1--Some.Model_x"), snapshot = Path.Combine(model, "snapshots", Commit);
        foreach (string folder in new[] { Path.Combine(model, "blobs"), Path.Combine(model, "refs"), snapshot }) Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(model, "refs", "main"), Commit);
        foreach (string file in new[] { "config.json", "model.safetensors" })
        {
            string blob = $"blob-of-{file}";
            File.Copy(Path.Combine(source, file), Path.Combine(model, "blobs", blob));
            File.CreateSymbolicLink(Path.Combine(snapshot, file), Path.Combine("..", "..", "blobs", blob));
        }

        return snapshot;
    }
}
