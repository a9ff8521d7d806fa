using System.Diagnostics;
using System.Text.Json;
using Luffy.Engine.Checkpoint;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Model;
using Luffy.Engine.Text;
using Luffy.Kernels;

namespace Luffy.Cli.Tests;

/// <summary>train, eval and generate on a tiny random model and the built-in tasks, as a user would type them.</summary>
[NonParallelizable]
public sealed class TrainCommandTests
{
    private string _folder = "", _model = "";

    [OneTimeSetUp]
    public void MakeModel()
    {
        _folder = Directory.CreateTempSubdirectory("luffy-test-").FullName;
        _model = Path.Combine(_folder, "model");
        BuiltInTokenizer.Write(_model);
        BpeTokenizer tokenizer = BpeTokenizer.Load(_model);
        var config = new TransformerConfig
        {
            ModelType = "qwen2", HiddenSize = 16, Layers = 1, Heads = 2, KeyValueHeads = 1, HeadDim = 8, IntermediateSize = 24,
            VocabularySize = tokenizer.VocabularySize, MaxPositions = 256, TieWordEmbeddings = true, AttentionBias = true,
        };
        File.WriteAllText(Path.Combine(_model, "config.json"), config.ToJson(tokenizer.EndOfTextId));
        using IBackend backend = Backends.Create(new BackendOptions { Name = "reference" });
        using var parameters = new ParameterSet(backend, new ParameterLayout(config), DType.F32, ParameterUse.Inference);
        ModelWeights.Initialize(parameters, 3, 0.05);
        SafeTensorsModelWriter.Write(_model, ModelWeights.Sources(parameters, SafeTensorsDType.F32));
    }

    [OneTimeTearDown]
    public void Clean() => Directory.Delete(_folder, recursive: true);

    private string[] Train(string run, params string[] more) =>
    [
        "train", "--output", Path.Combine(_folder, run), "--backend", "reference", "--quiet", "--json", "--set", $"model_name_or_path={_model}",
        "--set", "max_steps=2", "--set", "prompts_per_step=2", "--set", "num_generations=2", "--set", "max_prompt_length=128",
        "--set", "max_completion_length=112", "--set", "tasks_per_family=4", "--set", "eval_items_per_family=1", "--set", "eval_samples=1",
        "--set", "eval_on_start=false", "--set", "drop_wrong_demonstrations=false", .. more,
    ];

    [TestCase("luffy")]
    [TestCase("methods/dr-grpo")]
    public async Task A_built_in_recipe_is_named_without_a_file(string name)
    {
        (int code, string output, string error) = await Shell.RunAsync("", "train", "--config", name, "--dry-run");
        Assert.That((code, error), Is.EqualTo((0, "")));
        Assert.That(output, Does.Contain("prompts_per_step: 24\n").And.Not.Contain("extends"));
    }

    [Test]
    public async Task A_run_leaves_what_it_promised_and_can_be_resumed_but_not_written_over()
    {
        (int code, string output, string error) = await Shell.RunAsync("", Train("whole"));
        Assert.That((code, error), Is.EqualTo((0, "")));
        using JsonDocument summary = JsonDocument.Parse(output);
        Assert.That(summary.RootElement.GetProperty("steps").GetInt32(), Is.EqualTo(2));
        string run = Path.Combine(_folder, "whole");
        Assert.That(File.ReadAllText(Path.Combine(run, "summary.json")), Is.EqualTo(output));
        Assert.That(File.ReadAllLines(Path.Combine(run, "metrics.jsonl")), Has.Length.EqualTo(2));
        Assert.That(File.Exists(Path.Combine(run, "rollouts", "step-000002.jsonl")));
        Assert.That(File.ReadAllText(Path.Combine(run, "config.yaml")), Does.Contain("max_steps: 2\n"));

        (code, _, error) = await Shell.RunAsync("", Train("whole"));
        Assert.That(code, Is.EqualTo(2));
        Assert.That(error, Does.Contain("--resume"));

        (code, output, error) = await Shell.RunAsync("", "train", "--output", run, "--resume", "--quiet", "--json", "--set", "max_steps=3");
        Assert.That((code, error), Is.EqualTo((0, "")));
        Assert.That(File.ReadAllLines(Path.Combine(run, "metrics.jsonl")), Has.Length.EqualTo(3));
        Assert.That(File.ReadAllText(Path.Combine(run, "config.yaml")), Does.Contain("max_steps: 3\n").And.Contain("backend: reference\n"));

        // The recorded rows of a step are a batch of replay.
        (code, output, error) = await Shell.RunAsync("", "replay", "--model", Path.Combine(run, "checkpoints", "step-000003"), "--batch",
            Path.Combine(run, "rollouts", "step-000003.jsonl"), "--backend", "reference");
        Assert.That((code, error), Is.EqualTo((0, "")));
    }

    /// <summary>The program itself, in a process of its own: killed or interrupted in the middle, resumed, and compared with a run that was left alone.</summary>
    [TestCase("KILL", 137)]
    [TestCase("INT", 130)]
    public async Task A_run_that_was_ended_from_outside_goes_on_to_the_same_bytes(string signal, int expectedCode)
    {
        if (OperatingSystem.IsWindows()) Assert.Ignore("signals are sent with kill(1)");
        string[] settings = ["--set", "save_steps=1", "--set", "save_total_limit=20", "--set", "eval_items_per_family=1", "--set", "lr_scheduler_type=constant", "--set", "warmup_steps=0"];
        string whole = $"whole-{signal}", cut = $"cut-{signal}";
        // Far more steps than can pass before the signal arrives, however busy the machine is; with a constant rate a step does not know the last.
        using (Process process = Start(Train(cut, [.. settings, "--set", "max_steps=100000"])))
        {
            string third = Path.Combine(_folder, cut, "checkpoints", "step-000003");
            for (int i = 0; i < 6000 && !process.HasExited && !Directory.Exists(third); i++) await Task.Delay(20);
            using (var kill = Process.Start("kill", [$"-{signal}", $"{process.Id}"])) await kill.WaitForExitAsync();
            await process.WaitForExitAsync();
            Assert.That(process.ExitCode, Is.EqualTo(expectedCode));
        }

        long reached = new CheckpointStore(Path.Combine(_folder, cut)).Steps()[^1], last = reached + 3;
        Assert.That(reached, Is.GreaterThanOrEqualTo(3));
        Assert.That(await Program("train", "--output", Path.Combine(_folder, cut), "--resume", "--quiet", "--set", $"max_steps={last}"), Is.Zero);
        Assert.That(await Program(Train(whole, [.. settings, "--set", $"max_steps={last}"])), Is.Zero);
        string expected = new CheckpointStore(Path.Combine(_folder, whole)).PathOf(last);
        foreach (string file in Directory.EnumerateFiles(expected, "*", SearchOption.AllDirectories))
        {
            string other = file.Replace(whole, cut, StringComparison.Ordinal);
            Assert.That(File.ReadAllBytes(other).AsSpan().SequenceEqual(File.ReadAllBytes(file)), Is.True, Path.GetFileName(file));
        }
    }

    // A shell that runs the tests in the background has them ignore the interruption, and their children inherit that.
    private static Process Start(params string[] arguments) => Process.Start(
        new ProcessStartInfo("env", ["--default-signal=INT", "dotnet", Path.Combine(AppContext.BaseDirectory, "luffy.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;

    private static async Task<int> Program(params string[] arguments)
    {
        using Process process = Start(arguments);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = await process.StandardError.ReadToEndAsync();
        _ = await output;
        await process.WaitForExitAsync();
        if (process.ExitCode != 0) TestContext.Out.WriteLine(error);
        return process.ExitCode;
    }

    [Test]
    public async Task A_dry_run_prints_a_configuration_that_loads_and_writes_nothing()
    {
        (int code, string yaml, _) = await Shell.RunAsync("", Train("dry", "--dry-run", "--seed", "7", "--threads", "1"));
        Assert.That(code, Is.Zero);
        Assert.That(yaml, Does.Contain("seed: 7\n").And.Contain("threads: 1\n").And.Contain("num_generations: 2\n"));
        Assert.That(Directory.Exists(Path.Combine(_folder, "dry")), Is.False);
        string file = Path.Combine(_folder, "dry.yaml");
        File.WriteAllText(file, yaml);
        Assert.That((await Shell.RunAsync("", "train", "--config", file, "--dry-run")).Out, Is.EqualTo(yaml));
    }

    [TestCase("--set", "learning_rat=1", "did you mean 'learning_rate'")]
    [TestCase("--config", "no/such.yaml", "no/such.yaml")]
    [TestCase("--seed", "-1", "--seed -1: seed")]
    [TestCase("--set", "resume_from_checkpoint=somewhere/step-x", "step-NNNNNN")]
    public async Task Wrong_settings_end_before_anything_is_written(string option, string value, string message)
    {
        (int code, _, string error) = await Shell.RunAsync("", Train("wrong", option, value));
        Assert.That(code, Is.EqualTo(2));
        Assert.That(error, Does.Contain(message));
        Assert.That(Directory.Exists(Path.Combine(_folder, "wrong")), Is.False);
    }

    [Test]
    public async Task There_must_be_a_run_to_resume()
    {
        (int code, _, string error) = await Shell.RunAsync("", Train("never", "--resume"));
        Assert.That(code, Is.EqualTo(2));
        Assert.That(error, Does.Contain("never"));
    }

    [Test]
    public async Task Eval_prints_a_table_or_json()
    {
        string data = Path.Combine(_folder, "data.jsonl");
        File.WriteAllLines(data, ["""{"q":"1+1","answer":"2","source":"sums"}""", """{"q":"2+2","answer":"4","source":"sums"}"""]);
        string[] arguments = ["eval", "--model", _model, "--data", data, "--set", "columns.prompt=q", "--set", "columns.source=source",
            "--samples", "2", "--max-completion-length", "4", "--backend", "reference", "--quiet"];
        (int code, string output, string error) = await Shell.RunAsync("", arguments);
        Assert.That((code, error), Is.EqualTo((0, "")));
        Assert.That(output, Does.Contain("avg@2").And.Contain("sums"));
        (_, output, _) = await Shell.RunAsync("", [.. arguments, "--json"]);
        using JsonDocument json = JsonDocument.Parse(output);
        Assert.That(json.RootElement[0].GetProperty("items").GetInt32(), Is.EqualTo(2));
        Assert.That(json.RootElement[0].GetProperty("avg_at_k").GetDouble(), Is.InRange(0.0, 1.0));
    }

    [Test]
    public async Task Data_is_inspected_and_printed()
    {
        string data = Path.Combine(_folder, "demonstrations.jsonl");
        File.WriteAllLines(data, ["""{"prompt":"1+1","answer":"2","demonstration":"so\n</think>\n\\boxed{2}"}""", """{"prompt":"2+2","answer":"4","demonstration":"\\boxed{4}"}"""]);
        (int code, string output, string error) = await Shell.RunAsync("", "data", "inspect", data, "--model", _model, "--samples", "1");
        Assert.That((code, error), Is.EqualTo((0, "")));
        Assert.That(output, Does.Contain("JSONL, 2 rows").And.Contain("recognised prompts and answers").And.Contain("left out 1 × demonstration that the reward calls wrong").And.Contain("row 2: no </think>").And.Contain("prompt tokens"));
        (_, output, _) = await Shell.RunAsync("", "data", "inspect", data, "--json");
        using JsonDocument json = JsonDocument.Parse(output);
        Assert.That(json.RootElement.GetProperty("left_out").GetProperty("demonstration_not_verified").GetProperty("count").GetInt32(), Is.EqualTo(1));
        (_, output, _) = await Shell.RunAsync("", "data", "rows", data, "--columns", "answer", "--limit", "1");
        Assert.That(output.TrimEnd(), Is.EqualTo("{\"answer\":\"2\"}"));
        (code, _, error) = await Shell.RunAsync("", "data", "inspect", Path.Combine(_folder, "none.parquet"));
        Assert.That((code, error), Is.EqualTo((1, error)));
        Assert.That(error, Does.Contain("none.parquet: cannot be read"));
    }

    [Test]
    public async Task Generate_streams_text_and_separates_further_samples()
    {
        (int code, string output, string error) = await Shell.RunAsync("", "generate", "--model", _model, "--prompt", "@1+1", "--samples", "2",
            "--max-completion-length", "6", "--backend", "reference");
        Assert.That((code, error), Is.EqualTo((0, "")));
        Assert.That(output, Does.Contain("\n--- 2\n"));
    }
}
