using System.Text.Json;
using Luffy.Engine.Configuration;

namespace Luffy.Cli.Tests;

/// <summary>compare as a user would type it; what it trains is tested in the engine.</summary>
public sealed class CompareCommandTests
{
    private string _folder = "";

    [OneTimeSetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("luffy-compare-").FullName;

    [OneTimeTearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public async Task The_runs_are_listed_without_being_made()
    {
        string output = Path.Combine(_folder, "none");
        (int code, string listed, string error) = await Shell.RunAsync("", "compare", "--quick", "--methods", "sft, luffy", "--seeds", "2", "--output", output, "--dry-run");
        Assert.That((code, error), Is.EqualTo((0, "")));
        Assert.That(listed.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(": ")[0]), Is.EqualTo(new[] { "base, seed 1", "sft, seed 1", "luffy, seed 1", "sft, seed 2", "luffy, seed 2" }));
        Assert.That(Directory.Exists(output), Is.False);
    }

    [TestCase("--quick is a comparison of its own", "--quick", "--config", "compare")]
    [TestCase("did you mean 'luffy'?", "--methods", "lufy")]
    [TestCase("did you mean 'learning_rate'?", "--set", "learning_rat=1")]
    [TestCase("1 ≤ seeds", "--seeds", "0")]
    [TestCase("does not exist", "--config", "none.yaml")]
    public async Task Wrong_usage_is_named(string said, params string[] arguments)
    {
        (int code, _, string error) = await Shell.RunAsync("", ["compare", "--dry-run", .. arguments]);
        Assert.That(code, Is.EqualTo(2));
        Assert.That(error, Does.Contain(said));
    }

    [Test]
    public async Task A_comparison_prints_its_table_or_json_and_goes_on_where_it_was()
    {
        string[] arguments =
        [
            "compare", "--quick", "--methods", "luffy", "--seeds", "1", "--output", Path.Combine(_folder, "out"), "--quiet", "--set", "max_steps=2", "--set", "prompts_per_step=2",
            "--set", "num_generations=2", "--set", "tasks_per_family=4", "--set", "eval_items_per_family=1", "--set", "eval_steps=1", "--threads", "1",
        ];
        (int code, string table, string error) = await Shell.RunAsync("", arguments);
        Assert.That((code, error), Is.EqualTo((0, "")));
        Assert.That(table, Does.Contain("| luffy           |     1 |").And.Contain($"Made by `luffy {string.Join(' ', arguments)}`"));
        (code, string json, _) = await Shell.RunAsync("", [.. arguments, "--json"]);
        using JsonDocument read = JsonDocument.Parse(json);
        Assert.That((code, read.RootElement.GetProperty("methods").GetArrayLength()), Is.EqualTo((0, 1)));
        (code, _, error) = await Shell.RunAsync("", [.. arguments, "--set", "temperature=0.5"]);
        Assert.That((code, error), Is.EqualTo((2, error)));
        Assert.That(error, Does.Contain("temperature is 1 there and 0.5 now"));
    }

    [Test]
    public async Task Training_may_be_stopped_by_the_end_of_input()
    {
        // The input is at its end from the start, so that the run stops before its first step and keeps its configuration to go on with.
        string run = Path.Combine(_folder, "stopped");
        string[] arguments = ["train", "--config", "luffy", "--output", run, "--quiet", "--stop-with-input", "--set", "tasks_per_family=4", "--set", "eval_items_per_family=1", "--set", "eval_samples=0"];
        (int code, _, string error) = await Shell.RunAsync("", arguments);
        Assert.That((code, error), Is.EqualTo((130, "luffy: interrupted\n")));
        Assert.That(ConfigurationLoader.LoadTraining(Path.Combine(run, "config.yaml"), []).Optimizer.MaxSteps, Is.EqualTo(100));
        Assert.That(File.Exists(Path.Combine(run, "summary.json")), Is.False);
    }
}
