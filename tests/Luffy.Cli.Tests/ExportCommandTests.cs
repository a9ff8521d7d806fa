namespace Luffy.Cli.Tests;

public sealed class ExportCommandTests
{
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("luffy-export-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public async Task The_built_in_model_becomes_one_file()
    {
        string path = Path.Combine(_folder, "model.gguf");
        (int code, string output, _) = await Shell.RunAsync("", "export", "--model", "builtin", "--output", path, "--dtype", "q8_0");
        Assert.That(code, Is.Zero);
        Assert.That(output, Is.EqualTo($"{path}: 50 tensors, q8_0, 1.2 MiB\n"));
        Assert.That(File.ReadAllBytes(path).AsSpan(0, 4).SequenceEqual("GGUF"u8), Is.True);
    }

    [Test]
    public async Task A_type_that_is_not_written_is_wrong_usage_and_a_missing_folder_a_failure()
    {
        (int code, _, string error) = await Shell.RunAsync("", "export", "--model", "builtin", "--output", "x.gguf", "--dtype", "q4_0");
        Assert.That(code, Is.EqualTo(2));
        Assert.That(error, Does.Contain("q8_0"));
        string missing = Path.Combine(_folder, "none", "model.gguf");
        (code, _, error) = await Shell.RunAsync("", "export", "--model", "builtin", "--output", missing);
        Assert.That(code, Is.EqualTo(1));
        Assert.That(error, Does.StartWith("luffy: ").And.Contain(missing));
    }
}
