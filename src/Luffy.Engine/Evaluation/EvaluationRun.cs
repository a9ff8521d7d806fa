using Luffy.Engine.Configuration;
using Luffy.Engine.Data;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Model;
using Luffy.Engine.Reporting;
using Luffy.Engine.Rewards;
using Luffy.Engine.Rl;
using Luffy.Engine.Rollout;
using Luffy.Engine.Text;
using Luffy.Kernels;

namespace Luffy.Engine.Evaluation;

/// <summary>What <c>eval</c> is asked for.</summary>
public sealed record EvaluationRunOptions
{
    /// <summary>A model directory, or <c>builtin</c>.</summary>
    public required string ModelDirectory { get; init; }

    /// <summary>The data: a JSONL file with its columns, or <c>builtin</c> for the test split of the built-in tasks.</summary>
    public required DataOptions Data { get; init; }

    /// <summary>k of avg@k, pass@k and maj@k; 0 decodes greedily only.</summary>
    public int Samples { get; init; }

    /// <summary>Temperature of the samples; greedy accuracy is measured beside them.</summary>
    public double Temperature { get; init; } = 0.6;

    /// <summary>Longest completion; null for 1024, or half the model's window where that is less.</summary>
    public int? MaxNewTokens { get; init; }

    /// <summary>Problems of each source; 0 for all of a file, 50 of each built-in family.</summary>
    public int ItemsPerSource { get; init; }

    /// <summary>Sequences decoded at once.</summary>
    public int Batch { get; init; } = 64;

    /// <summary>Names of the rewards; the accuracy reward among them grades.</summary>
    public IReadOnlyList<string> RewardFunctions { get; init; } = ["math"];

    /// <summary>Decides the samples.</summary>
    public long Seed { get; init; } = 42;
}

/// <summary>What <c>eval</c> found.</summary>
/// <param name="Sources">Accuracy by data source.</param>
/// <param name="Prompts">The problems.</param>
/// <param name="Graded">Every completion.</param>
public sealed record EvaluationOutcome(IReadOnlyList<FamilyAccuracy> Sources, IReadOnlyList<TokenizedPrompt> Prompts, IReadOnlyList<GradedCompletion> Graded);

/// <summary>The <c>eval</c> command: accuracy of a model on a dataset, by the same code that measures a training run.</summary>
public static class EvaluationRun
{
    private const int BuiltInItems = 50;

    /// <summary>Measures.</summary>
    /// <param name="options">What is asked for.</param>
    /// <param name="model">Backend, storage type, threads.</param>
    /// <param name="console">Receives the report on the data, and progress.</param>
    /// <param name="cancellation">Stops between tokens.</param>
    /// <exception cref="LuffyException">Model or data are malformed, or do not fit each other.</exception>
    public static EvaluationOutcome Execute(EvaluationRunOptions options, ModelOptions model, RunConsole console, CancellationToken cancellation)
    {
        string directory = ModelDirectory.Resolve(options.ModelDirectory);
        TransformerConfig config = TransformerConfig.Load(directory);
        int maxNewTokens = options.MaxNewTokens ?? Math.Min(1024, config.MaxPositions / 2);
        if (maxNewTokens >= config.MaxPositions)
            throw LuffyException.Usage($"{maxNewTokens} new tokens leave no room for a prompt in the model's window of {config.MaxPositions}; ask for fewer");
        BpeTokenizer tokenizer = BpeTokenizer.Load(ModelDirectory.TokenizerOf(directory));
        IReward verifier = RewardRegistry.Verifier(options.RewardFunctions);
        var validator = new DemonstrationValidator(tokenizer, ChatTemplate.Load(tokenizer.Config, options.Data.ChatTemplate), verifier,
            Math.Min(options.Data.MaxPromptLength, config.MaxPositions - maxNewTokens), maxNewTokens, config.VocabularySize);
        bool builtIn = options.Data.DatasetName == TrainingData.BuiltIn;
        (IReadOnlyList<TokenizedPrompt> prompts, DatasetReport report) = validator.Validate(Examples(options, builtIn));
        foreach (string line in report.Lines().Skip(1)) console.Warn(line);

        using IBackend backend = EngineBackend.Open(model.Backend, model.Threads, model.AllowEmulator, model.Fast);
        DType dtype = model.Dtype.Resolve(backend, directory);
        int longest = prompts.Max(p => p.PromptIds.Length);
        using LanguageModel loaded = LanguageModel.Load(directory, backend, dtype, ParameterUse.Inference, longest + maxNewTokens, chatTemplate: options.Data.ChatTemplate);
        var plan = new RolloutPlan(options.Batch, longest, maxNewTokens);
        using DeviceBuffer arena = backend.Allocate("activations", plan.Activations(backend, config, dtype).Bytes);
        using var engine = new RolloutEngine(backend, loaded.Model, dtype, plan, arena);
        IReadOnlyList<GradedCompletion> graded = [];
        console.Track("measuring", prompts.Count * (1 + options.Samples), 0, tracker => graded = new Evaluator(loaded, engine, verifier)
            .Grade(prompts, greedy: true, options.Samples, options.Temperature, maxNewTokens, options.Seed, tracker.Report, cancellation));
        IReadOnlyList<FamilyAccuracy> sources = Evaluator.Summarize(prompts, graded, source => builtIn ? TaskSuite.CategoryOf(source) : TaskCategory.InDistribution);
        return new EvaluationOutcome(sources, prompts, graded);
    }

    private static IReadOnlyList<PromptExample> Examples(EvaluationRunOptions options, bool builtIn)
    {
        IReadOnlyList<PromptExample> examples = builtIn
            ? TaskSuite.Create(TaskSuite.Measured(options.Data.TaskFamilies), DatasetSplit.Test, options.ItemsPerSource > 0 ? options.ItemsPerSource : BuiltInItems, TrainingData.MeasurementSeed, options.Data.TaskLevel)
            : [.. DatasetReader.Open(options.Data, withDemonstrations: false).Read()];
        if (options.ItemsPerSource > 0) examples = [.. examples.GroupBy(e => e.Source).SelectMany(g => g.Take(options.ItemsPerSource))];
        return [.. examples.Select(e => e with { Demonstrations = [], DemonstrationIds = [] })];
    }
}
