using System.Globalization;
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

/// <summary>The <c>eval</c> command: accuracy of a model on a dataset, by the same code that measures a training run.</summary>
public static class EvaluationRun
{
    private const int BuiltInItems = 50;

    /// <summary>Measures.</summary>
    /// <param name="options">What is asked for.</param>
    /// <param name="model">Backend, storage type, threads.</param>
    /// <param name="console">Receives the report on the data, and progress.</param>
    /// <param name="cancellation">Stops between tokens; what is there by then is in the partial response file.</param>
    /// <exception cref="LuffyException">Model or data are malformed, or do not fit each other.</exception>
    public static EvaluationOutcome Execute(EvaluationRunOptions options, ModelOptions model, RunConsole console, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(console);
        string directory = ModelDirectory.Resolve(options.ModelDirectory);
        TransformerConfig config = TransformerConfig.Load(directory);
        int maxNewTokens = options.MaxNewTokens ?? Math.Min(1024, config.MaxPositions / 2);
        if (maxNewTokens >= config.MaxPositions)
            throw LuffyException.Usage($"{maxNewTokens} new tokens leave no room for a prompt in the model's window of {config.MaxPositions}; ask for fewer");
        BpeTokenizer tokenizer = BpeTokenizer.Load(ModelDirectory.TokenizerOf(directory));
        IReward verifier = options.ReadsStatedAnswers ? new StatedAnswerReward() : RewardRegistry.Verifier(options.RewardFunctions);
        var validator = new DemonstrationValidator(tokenizer, ChatTemplate.Load(tokenizer.Config, options.Data.ChatTemplate), verifier,
            Math.Min(options.Data.MaxPromptLength, config.MaxPositions - maxNewTokens), maxNewTokens, config.VocabularySize);
        bool builtIn = options.Data.DatasetName == TrainingData.BuiltIn;
        IReadOnlyList<EvaluationProblem> problems = Problems(options, builtIn, validator, console);
        // Rows that stand in the file n times are n samples of one problem.
        Func<int, int> samplesOf = item => options.Samples * problems[item].Repeats is > 0 and int asked ? asked : problems[item].Repeats > 1 ? problems[item].Repeats : 0;
        var sampling = new EvaluationSampling
        {
            Greedy = options.Greedy, SamplesOf = samplesOf, Temperature = options.Temperature, TopP = options.TopP, TopK = options.TopK, MinP = options.MinP,
            MaxNewTokens = maxNewTokens, Seed = options.Seed,
        };
        int total = Enumerable.Range(0, problems.Count).Sum(samplesOf) + (options.Greedy ? problems.Count : 0);
        if (total == 0) throw LuffyException.Usage("greedy decoding is turned off and no samples are asked for; give --samples 1 at least.");

        using IBackend backend = EngineBackend.Open(model.Backend, model.Threads, model.AllowEmulator, model.Fast);
        DType dtype = model.Dtype.Resolve(backend, directory);
        int longest = problems.Max(p => p.Prompt.PromptIds.Length);
        using LanguageModel loaded = LanguageModel.Load(directory, backend, dtype, ParameterUse.Inference, longest + maxNewTokens, chatTemplate: options.Data.ChatTemplate,
            loaded: tokenizer);
        var plan = new RolloutPlan(options.Batch, longest, maxNewTokens);
        using DeviceBuffer arena = backend.Allocate("activations", plan.Activations(backend, config, dtype).Bytes);
        using var engine = new RolloutEngine(backend, loaded.Model, dtype, plan, arena);
        using ResponseFile? responses = options.Output is { } path ? ResponseFile.Open(path, Settings(options, maxNewTokens, dtype, directory), problems) : null;
        List<GradedCompletion> graded = [.. responses?.Found ?? []];
        if (graded.Count > 0) console.Say($"{responses!.PartialPath}: going on after {graded.Count} of {total} responses");
        sampling = sampling with { Done = graded.Select(g => (g.Item, g.Sample)).ToHashSet() };
        try
        {
            console.Track("measuring", total, graded.Count, tracker => new Evaluator(loaded, engine, verifier).Grade([.. problems.Select(p => p.Prompt)], sampling, completion =>
            {
                graded.Add(completion);
                responses?.Add(completion);
                tracker.Report(graded.Count);
            }, cancellation));
        }
        catch (OperationCanceledException) when (responses is not null)
        {
            console.Say($"{responses.PartialPath}: keeps {graded.Count} of {total} responses; the same command goes on from there");
            throw;
        }

        graded.Sort((a, b) => a.Item != b.Item ? a.Item.CompareTo(b.Item) : a.Sample.CompareTo(b.Sample));
        responses?.Finish(graded);
        return new EvaluationOutcome(EvaluationSummary.Of(problems, graded, source => builtIn ? TaskSuite.CategoryOf(source) : BenchmarkSources.CategoryOf(source)), [.. problems.Select(p => p.Prompt)], graded);
    }

    private static List<EvaluationProblem> Problems(EvaluationRunOptions options, bool builtIn, DemonstrationValidator validator, RunConsole console)
    {
        IReadOnlyList<(PromptExample Example, int Repeats)> rows = builtIn ? BuiltIn(options) : FromFiles(options, console);
        if (options.ItemsPerSource > 0) rows = [.. rows.GroupBy(r => r.Example.Source).SelectMany(g => g.Take(options.ItemsPerSource))];
        Dictionary<string, int> repeats = rows.ToDictionary(r => r.Example.Id, r => r.Repeats, StringComparer.Ordinal);
        var problems = new List<EvaluationProblem>(rows.Count);
        DatasetReport report = validator.Validate(rows.Select(r => WithSystemPrompt(r.Example, options.SystemPrompt)), prompt => problems.Add(new EvaluationProblem(prompt, repeats[prompt.Example.Id])));
        foreach (string line in report.Lines().Skip(1)) console.Warn(line);
        return problems;
    }

    private static IReadOnlyList<(PromptExample, int)> BuiltIn(EvaluationRunOptions options) =>
        [.. TaskSuite.Create(TaskSuite.Measured(options.Data.TaskFamilies), DatasetSplit.Test, options.ItemsPerSource > 0 ? options.ItemsPerSource : BuiltInItems, TrainingData.MeasurementSeed, options.Data.TaskLevel)
            .Select(e => (e with { Demonstrations = [], DemonstrationIds = [] }, 1))];

    private static IReadOnlyList<(PromptExample Example, int Repeats)> FromFiles(EvaluationRunOptions options, RunConsole console)
    {
        DatasetReader reader = DatasetReader.Open(options.Data, withDemonstrations: false);
        console.Say($"{options.Data.DatasetName}: {reader.Format}, {reader.Layout}");
        IReadOnlyList<(PromptExample Example, int Repeats)> problems = EvaluationProblem.Distinct(reader.Read());
        foreach (var repeated in problems.Where(p => p.Repeats > 1).GroupBy(p => (p.Example.Source, p.Repeats)))
            console.Say($"{repeated.Key.Source}: {repeated.Count()} problems stand in the file {repeated.Key.Repeats} times each, so each is sampled {repeated.Key.Repeats * Math.Max(1, options.Samples)} times");
        return problems;
    }

    private static PromptExample WithSystemPrompt(PromptExample example, string? asked)
    {
        if (asked is null) return example;
        IEnumerable<ChatMessage> others = example.Messages.Where(message => message.Role != "system");
        return example with { Messages = asked == "none" ? [.. others] : [new ChatMessage("system", SystemPrompts.Resolve(asked)!), .. others] };
    }

    // All that decides a response: an interrupted evaluation may be gone on with where these are the same.
    private static Dictionary<string, string> Settings(EvaluationRunOptions options, int maxNewTokens, DType dtype, string directory)
    {
        string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);
        IEnumerable<FileInfo> weights = new DirectoryInfo(directory).EnumerateFiles("*.safetensors").OrderBy(f => f.Name, StringComparer.Ordinal);
        return new Dictionary<string, string>
        {
            ["model"] = options.ModelDirectory,
            ["weights"] = string.Join(", ", weights.Select(f => $"{f.Name} of {f.Length} bytes, {f.LastWriteTimeUtc:O}")),
            ["data"] = options.Data.DatasetName,
            ["columns"] = options.Data.Columns.ToString(),
            ["data_sources"] = string.Join(",", options.Data.DataSources ?? ["all"]),
            ["chat_template"] = options.Data.ChatTemplate ?? "the model's",
            ["system_prompt"] = options.SystemPrompt ?? options.Data.SystemPrompt ?? "the data's",
            ["samples"] = Number(options.Samples),
            ["greedy"] = options.Greedy ? "yes" : "no",
            ["temperature"] = Number(options.Temperature),
            ["top_p"] = Number(options.TopP),
            ["top_k"] = Number(options.TopK),
            ["min_p"] = Number(options.MinP),
            ["max_completion_length"] = Number(maxNewTokens),
            ["max_prompt_length"] = Number(options.Data.MaxPromptLength),
            ["items"] = Number(options.ItemsPerSource),
            ["reward"] = options.ReadsStatedAnswers ? "stated" : string.Join(",", options.RewardFunctions),
            ["dtype"] = dtype.ToString(),
            ["seed"] = Number(options.Seed),
        };
    }
}
