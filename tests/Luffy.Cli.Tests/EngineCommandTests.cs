using System.Text.Json;

namespace Luffy.Cli.Tests;

/// <summary>score, replay and generate on the committed two-layer model, with the reference backend: wiring, formats and complaints.</summary>
public sealed class EngineCommandTests
{
    private static readonly string Model = Path.Combine(Repository(), "tests", "fixtures", "qwen2");
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("luffy-test-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    private static string Repository()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Luffy.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException("Luffy.sln is not above the tests' program.");
    }

    private string Write(string name, params string[] lines)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllLines(path, lines);
        return path;
    }

    [Test]
    public async Task Score_writes_a_line_of_log_probs_for_each_sequence()
    {
        string input = Write("ids.jsonl", """{"ids":[3,1,4,1,5]}""", """{"ids":[7]}""", """{"ids":[3,1,4]}""");
        (int code, string output, string error) = await Shell.RunAsync("", "score", "--model", Model, "--input", input, "--backend", "reference", "--dtype", "f32");
        Assert.That((code, error), Is.EqualTo((0, "")));
        float[][] scores = [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l =>
            JsonSerializer.Deserialize<Dictionary<string, float[]>>(l)!["logprobs"])];
        Assert.That(scores.Select(s => s.Length), Is.EqualTo(new[] { 4, 0, 2 }));
        Assert.That(scores[0], Is.All.LessThan(0f));
        Assert.That(scores[2], Is.EqualTo(scores[0][..2]), "the same beginning has the same bits");
    }

    [Test]
    public async Task Merge_says_where_it_wrote_and_refuses_what_is_no_adapter()
    {
        string merged = Path.Combine(_folder, "merged");
        (int code, string output, string error) = await Shell.RunAsync("", "merge", "--adapter", Model, "--output", merged);
        Assert.That((code, output), Is.EqualTo((1, "")));
        Assert.That(error, Does.Contain("adapter_config.json").And.Contain(Model));
        Assert.That(Directory.Exists(merged), Is.False);
    }

    [Test]
    public async Task Replay_writes_null_for_a_loss_that_is_not_finite_and_says_so()
    {
        string batch = Write("batch.jsonl", """{"ids":[2,7,1],"prompt_length":1,"source":"on","advantage":1,"old_logprobs":[-1,-1000]}""");
        (int code, string output, string error) = await Shell.RunAsync("", "replay", "--model", Model, "--batch", batch, "--backend", "reference", "--dtype", "f32", "--quiet");
        Assert.That(code, Is.Zero);
        Assert.That(error, Does.StartWith("luffy: the loss is not finite"));
        using JsonDocument json = JsonDocument.Parse(output);
        Assert.That(json.RootElement.GetProperty("loss").ValueKind, Is.EqualTo(JsonValueKind.Null));
    }

    [Test]
    public async Task A_key_that_replay_does_not_have_is_answered_with_those_that_it_has()
    {
        (int code, string output, string error) = await Shell.RunAsync("", "replay", "--model", Model, "--batch", "b.jsonl", "--set", "learning_rate=1");
        Assert.That((code, output), Is.EqualTo((2, "")));
        Assert.That(error, Does.StartWith("luffy: --set learning_rate=1: unknown key 'learning_rate'; expected one of ").And.Contain("off_policy_gamma"));
    }

    [Test]
    public async Task Replay_prints_loss_and_statistics_and_writes_gradients()
    {
        string batch = Write("batch.jsonl",
            """{"ids":[3,1,4,1,5],"prompt_length":2,"source":"on","advantage":-0.5}""",
            """{"ids":[2,7,1],"prompt_length":1,"source":"off","advantage":0.5}""");
        string gradients = Path.Combine(_folder, "gradients.safetensors");
        (int code, string output, string error) = await Shell.RunAsync("", "replay", "--model", Model, "--batch", batch, "--gradients", gradients,
            "--backend", "reference", "--dtype", "f32", "--set", "loss_normalizer=sum", "--set", "off_policy_gamma=0.3");
        Assert.That((code, error), Is.EqualTo((0, "")));
        using JsonDocument json = JsonDocument.Parse(output);
        Assert.That(json.RootElement.GetProperty("tokens").GetInt64(), Is.EqualTo(5));
        Assert.That(json.RootElement.GetProperty("loss").GetDouble(), Is.Not.Zero);
        Assert.That(json.RootElement.GetProperty("actor/off_policy_prob").GetDouble(), Is.InRange(0.0, 1.0));
        Assert.That(new FileInfo(gradients).Length, Is.GreaterThan(1000));
    }

    [TestCase("replay", "--set", "off_policy_gama=1", 2, "did you mean 'off_policy_gamma'")]
    [TestCase("replay", "--threads", "-1", 2, "--threads is -1")]
    [TestCase("replay", "--dtype", "f16", 2, "f16")]
    [TestCase("replay", "--backend", "abacus", 2, "abacus")]
    [TestCase("replay", "--allow-emulator", "true", 2, "--backend ilgpu")]
    public async Task Wrong_settings_are_named(string command, string option, string value, int expected, string message)
    {
        string batch = Write("batch.jsonl", """{"ids":[3,1,4,1,5],"prompt_length":2,"source":"on","advantage":-0.5}""");
        (int code, string output, string error) = await Shell.RunAsync("", command, "--model", Model, "--batch", batch, option, value);
        Assert.That((code, output), Is.EqualTo((expected, "")));
        Assert.That(error, Does.StartWith("luffy: ").And.Contain(message));
    }

    [TestCase("""{"ids":[3,1000000]}""", ":1: ")]
    [TestCase("{\"ids\":[3,", ":1: ")]
    [TestCase("[]", ":1: ")]
    public async Task A_bad_line_of_score_is_named(string line, string where)
    {
        string input = Write("ids.jsonl", line);
        (int code, _, string error) = await Shell.RunAsync("", "score", "--model", Model, "--input", input, "--backend", "reference");
        Assert.That(code, Is.EqualTo(1));
        Assert.That(error, Does.StartWith("luffy: " + input + where).And.Not.Contain("   at "));
    }

    [Test]
    public async Task A_missing_model_is_one_sentence()
    {
        string input = Write("ids.jsonl", """{"ids":[3]}""");
        (int code, _, string error) = await Shell.RunAsync("", "score", "--model", Path.Combine(_folder, "none"), "--input", input);
        Assert.That(code, Is.EqualTo(1));
        Assert.That(error.Trim().Split('\n'), Has.Length.EqualTo(1));
    }

    [Test]
    public async Task Generate_repeats_for_a_seed_and_refuses_nonsense()
    {
        string model = Path.Combine(_folder, "model");
        Directory.CreateDirectory(model);
        foreach (string file in new[] { "config.json", "model.safetensors" })
            File.Copy(Path.Combine(Model, file), Path.Combine(model, file));
        // 63 characters from '!' on and end-of-text: as many as the model has rows.
        TestTokenizer.Write(model, firstByte: '!', bytes: 63);
        string[] arguments = ["generate", "--model", model, "--prompt", "@1+1", "--raw", "--samples", "2", "--max-completion-length", "8", "--backend", "reference", "--json"];
        (int code, string first, string error) = await Shell.RunAsync("", arguments);
        Assert.That((code, error), Is.EqualTo((0, "")));
        Assert.That(first.Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(2));
        Assert.That((await Shell.RunAsync("", arguments)).Out, Is.EqualTo(first));
        Assert.That((await Shell.RunAsync("", [.. arguments, "--seed", "7"])).Out, Is.Not.EqualTo(first));
        Assert.That((await Shell.RunAsync("", [.. arguments, "--top-p", "0"])).Code, Is.EqualTo(2));
    }
}
