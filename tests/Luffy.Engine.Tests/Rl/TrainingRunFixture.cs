using System.Text.Json;
using Luffy.Engine.Checkpoint;
using Luffy.Engine.Configuration;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Model;
using Luffy.Engine.Optim;
using Luffy.Engine.Reporting;
using Luffy.Engine.Rl;
using Luffy.Engine.Text;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Rl;

/// <summary>Runs of a tiny random model on the built-in tasks, and what they leave behind.</summary>
public abstract class TrainingRunFixture
{
    /// <summary>Where the test writes.</summary>
    protected string Folder { get; private set; } = "";

    /// <summary>The model that runs start from.</summary>
    protected string ModelDirectory { get; private set; } = "";

    [SetUp]
    public void MakeModel()
    {
        Folder = Directory.CreateTempSubdirectory("luffy-run-").FullName;
        ModelDirectory = Path.Combine(Folder, "model");
        BuiltInTokenizer.Write(ModelDirectory);
        BpeTokenizer tokenizer = BpeTokenizer.Load(ModelDirectory);
        var config = new TransformerConfig
        {
            ModelType = "qwen2", HiddenSize = 32, Layers = 2, Heads = 2, KeyValueHeads = 1, HeadDim = 16, IntermediateSize = 48,
            VocabularySize = tokenizer.VocabularySize, MaxPositions = 256, TieWordEmbeddings = true, AttentionBias = true,
        };
        File.WriteAllText(Path.Combine(ModelDirectory, "config.json"), config.ToJson(tokenizer.EndOfTextId));
        using IBackend backend = TestBackends.Create("reference");
        using var parameters = new ParameterSet(backend, new ParameterLayout(config), DType.F32, ParameterUse.Inference);
        ModelWeights.Initialize(parameters, 3, 0.05);
        SafeTensorsModelWriter.Write(ModelDirectory, ModelWeights.Sources(parameters, SafeTensorsDType.F32));
    }

    [TearDown]
    public void Clean() => Directory.Delete(Folder, true);

    /// <summary>Asserts that a run killed after a step and resumed ends in the bytes of one that went through. Settings save every step.</summary>
    protected void AssertResumesToTheSameBytes(string[] settings, int steps, int cutAfter)
    {
        Execute("whole", settings);
        string last = Path.Combine("checkpoints", $"step-{steps:D6}"), expected = Path.Combine(Folder, "whole", last);

        // Stopped in the step that follows, then deprived of what the stop itself saved, as a kill would have it.
        using var source = new CancellationTokenSource();
        string run = Path.Combine(Folder, "cut");
        Assert.That(() => Execute("cut", settings, done => { if (done == cutAfter) source.Cancel(); }, cancellation: source.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(Directory.Exists(Path.Combine(run, last)), Is.False);
        RunSummary summary = Execute("cut", settings, resume: true);
        Assert.That(summary.Steps, Is.EqualTo(steps));
        string[] files = [.. Directory.EnumerateFiles(expected, "*", SearchOption.AllDirectories)];
        Assert.That(files, Is.Not.Empty);
        foreach (string file in files)
        {
            string other = Path.Combine(run, last, Path.GetRelativePath(expected, file));
            Assert.That(File.ReadAllBytes(other).AsSpan().SequenceEqual(File.ReadAllBytes(file)), Is.True, Path.GetFileName(file));
        }

        Assert.That(Steps(run), Is.EqualTo(Enumerable.Range(1, steps)), "metrics.jsonl has every step once");
    }

    protected RunSummary Execute(string name, string[] settings, Action<int>? afterStep = null, bool resume = false, CancellationToken cancellation = default)
    {
        string[] common =
        [
            $"model_name_or_path={ModelDirectory}", "backend=cpu", "dtype=f32", "prompts_per_step=2", "num_generations=4", "max_prompt_length=100", "max_completion_length=100",
            "rollout_batch_size=8", "tasks_per_family=3", "eval_items_per_family=1", "eval_samples=0", "mini_batches=1", "learning_rate=1e-3",
            "log_completions_steps=0", "eval_on_start=false", "entropy_coef=0.001",
        ];
        TrainingConfiguration config = ConfigurationLoader.ParseTraining("", "test", [.. common.Concat(settings).Select(ConfigurationOverride.Parse)]);
        var run = new RunDirectory(Path.Combine(Folder, name));
        Directory.CreateDirectory(run.Root);
        SavedCheckpoint? checkpoint = resume ? new CheckpointStore(run.Root).LatestValid(Assert.Fail) : null;
        using var output = new StepObserver(afterStep);
        return new TrainingRun(config, run, new RunConsole(output, live: false, quiet: false)).Execute(checkpoint, () => { }, cancellation);
    }

    protected JsonElement[] Rollouts(string run, int step) =>
        [.. File.ReadLines(Path.Combine(Folder, run, "rollouts", $"step-{step:D6}.jsonl")).Select(l => JsonDocument.Parse(l).RootElement)];

    protected JsonElement Metrics(string run, int step) => JsonDocument.Parse(File.ReadLines(Path.Combine(Folder, run, "metrics.jsonl")).ElementAt(step - 1)).RootElement;

    protected string Checkpoint(string run) => Path.Combine(Folder, run, "checkpoints", "step-000002");

    protected static string Ids(JsonElement row) => row.GetProperty("ids").GetRawText();

    protected static Dictionary<string, float[]> Weights(string folder)
    {
        using SafeTensorsModel model = SafeTensorsModel.Open(folder);
        var weights = new Dictionary<string, float[]>();
        foreach (string name in model.Names)
        {
            SafeTensor tensor = model.FileOf(name).Get(name);
            model.ReadFloats(name, [.. tensor.Shape], weights[name] = new float[tensor.ElementCount]);
        }

        return weights;
    }

    protected static double Distance(float[] a, float[] b) => Math.Sqrt(a.Zip(b).Sum(p => ((double)p.First - p.Second) * ((double)p.First - p.Second)));

    protected static int[] Steps(string run) =>
        [.. File.ReadLines(Path.Combine(run, "metrics.jsonl")).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("step").GetInt32())];

    // Counts the step lines that a run prints, so that a test can act between two steps.
    private sealed class StepObserver(Action<int>? afterStep) : StringWriter
    {
        private int _steps;

        public override void WriteLine(string? value)
        {
            Observe(value);
            base.WriteLine(value);
        }

        public override void Write(string? value)
        {
            Observe(value);
            base.Write(value);
        }

        private void Observe(string? value)
        {
            if (value?.StartsWith("step ", StringComparison.Ordinal) == true) afterStep?.Invoke(++_steps);
        }
    }
}
