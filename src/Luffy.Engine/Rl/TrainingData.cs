using Luffy.Engine.Configuration;
using Luffy.Engine.Data;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Model;
using Luffy.Engine.Reporting;
using Luffy.Engine.Rewards;
using Luffy.Engine.Text;

namespace Luffy.Engine.Rl;

/// <summary>The prompts of a run, tokenised and validated once at load: what is trained on, and what is measured on.</summary>
public sealed class TrainingData
{
    /// <summary>The dataset name that stands for the built-in tasks.</summary>
    public const string BuiltIn = "builtin";

    // Validation and test problems are the same in every run, whatever its seed: results stay comparable.
    internal const ulong MeasurementSeed = 20261123;
    private const int DefaultItemsPerFamily = 50;
    private readonly PromptDataset _train;

    private TrainingData(PromptStore train, ulong seed, IReadOnlyList<TokenizedPrompt> validation, IReadOnlyList<TokenizedPrompt> test)
    {
        _train = new PromptDataset(train, seed);
        (Validation, Test) = (validation, test);
        MaxPromptTokens = validation.Concat(test).Select(p => p.PromptIds.Length).Append(train.MaxPromptTokens).Max();
    }

    /// <summary>Measured on during training.</summary>
    public IReadOnlyList<TokenizedPrompt> Validation { get; }

    /// <summary>Measured on before and after; never looked at in between.</summary>
    public IReadOnlyList<TokenizedPrompt> Test { get; }

    /// <summary>The longest prompt of all.</summary>
    public int MaxPromptTokens { get; }

    /// <summary>How far the training prompts have been gone through.</summary>
    public DatasetCursor Cursor
    {
        get => _train.Cursor;
        set => _train.Cursor = value;
    }

    /// <summary>The next prompts to train on.</summary>
    public IReadOnlyList<TokenizedPrompt> Next(int count) => _train.Next(count);

    /// <summary>The training prompt of an id.</summary>
    /// <exception cref="LuffyException">There is none.</exception>
    public TokenizedPrompt Find(string id) => _train.Find(id);

    /// <summary>Loads what the configuration names, says what became of it, and leaves out what does not hold.</summary>
    /// <param name="config">Data, guidance, evaluation.</param>
    /// <param name="modelDirectory">Size of the vocabulary.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="console">Receives the report.</param>
    /// <exception cref="LuffyException">A file is malformed or empty, or nothing is left to train on.</exception>
    public static TrainingData Load(TrainingConfiguration config, string modelDirectory, BpeTokenizer tokenizer, RunConsole console)
    {
        DemonstrationValidator validator = Validator(config, modelDirectory, tokenizer);
        var train = new PromptStore(config.Data.DatasetMemory * 1024L * 1024);
        // Imitation has nothing to learn from a prompt alone.
        DatasetReport report = validator.Validate(Examples(config, console), prompt => { if (config.Method != TrainingMethod.Sft || prompt.Demonstrations.Count > 0) train.Add(prompt); });
        foreach (string line in report.Lines()) console.Say($"training data: {line}");
        if (train.IsOnDisk) console.Say($"training data: larger than dataset_memory ({config.Data.DatasetMemory} MiB), so {train.Bytes >> 20} MiB of ids and texts are in a temporary file");
        if (report.Demonstrations == 0 && NeedsDemonstrations(config))
        {
            throw new LuffyException($"{config.Data.DatasetName}: no demonstration is left, and method {ConfigurationKey.SnakeCase(config.Method.ToString())} learns from them; " +
                "correct columns.demonstration, demonstration_template or max_completion_length, or use method: grpo");
        }

        DemonstrationValidator measured = config.Data.RequireDemonstration ? Validator(config, modelDirectory, tokenizer, requiresDemonstration: false) : validator;
        return new TrainingData(train, (ulong)config.Seed, Measured(config, measured, DatasetSplit.Validation), Measured(config, measured, DatasetSplit.Test));
    }

    /// <summary>Whether accuracy is measured on the built-in tasks, whatever the run trains on.</summary>
    public static bool MeasuresBuiltIn(TrainingConfiguration config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return (config.Evaluation.EvalDatasetName ?? config.Data.DatasetName) == BuiltIn;
    }

    /// <summary>
    /// The demonstrations of the test problems by their ids, where they have some: nothing is trained on them, but answers may be compared with them.
    /// </summary>
    /// <exception cref="LuffyException">A file is malformed or empty.</exception>
    public static IReadOnlyDictionary<string, int[]> TestDemonstrations(TrainingConfiguration config, string modelDirectory)
    {
        IReadOnlyList<PromptExample> examples = [.. MeasuredExamples(config, DatasetSplit.Test).Where(e => e.Demonstrations.Count + e.DemonstrationIds.Count > 0)];
        return examples.Count == 0 ? new Dictionary<string, int[]>() : Validator(config, modelDirectory).Validate(examples).Prompts
            .Where(p => p.Demonstrations.Count > 0).ToDictionary(p => p.Example.Id, p => p.Demonstrations[0]);
    }

    internal static DemonstrationValidator Validator(TrainingConfiguration config, string modelDirectory, BpeTokenizer? tokenizer = null, bool requiresDemonstration = true)
    {
        tokenizer ??= BpeTokenizer.Load(ModelDirectory.TokenizerOf(modelDirectory));
        return new DemonstrationValidator(tokenizer, ChatTemplate.Load(tokenizer.Config, config.Data.ChatTemplate), RewardRegistry.Verifier(config.Reward.RewardFuncs),
            config.Data.MaxPromptLength, config.Rollout.MaxCompletionLength, TransformerConfig.Load(modelDirectory).VocabularySize)
        {
            KeepWrong = !config.Guidance.DropWrongDemonstrations,
            MaxDemonstrationLength = config.Data.MaxDemonstrationLength,
            Order = config.Data.DemonstrationOrder,
            MaxDemonstrations = config.Data.MaxDemonstrations,
            RequireDemonstration = config.Data.RequireDemonstration && requiresDemonstration,
            Seed = config.Seed,
        };
    }

    private static bool NeedsDemonstrations(TrainingConfiguration config) =>
        config.Guidance.NumDemonstrations > 0 || config.ImitationSteps > 0 || config.Guidance.PrefixStrategy != PrefixStrategy.None
        || config.Guidance.ImitateFailedEvery is not null || config.MicroGroup.HasRounds();

    private static IEnumerable<PromptExample> Examples(TrainingConfiguration config, RunConsole console)
    {
        DataOptions data = config.Data;
        if (data.DatasetName != BuiltIn)
        {
            DatasetReader reader = DatasetReader.Open(data);
            console.Say($"training data: {reader.Format}, {reader.Layout}");
            return reader.Read();
        }

        IReadOnlyList<TaskFamily> families = data.TaskFamilies is { } names ? [.. names.Select(TaskSuite.Family)] : TaskSuite.InDistribution;
        return TaskSuite.Create(families, DatasetSplit.Train, data.TasksPerFamily, (ulong)config.Seed, data.TaskLevel, data.TaskNotation);
    }

    private static IReadOnlyList<TokenizedPrompt> Measured(TrainingConfiguration config, DemonstrationValidator validator, DatasetSplit split)
    {
        IReadOnlyList<PromptExample> examples = MeasuredExamples(config, split);
        // Demonstrations are for training; without them nothing is refused for their sake.
        return examples.Count == 0 ? [] : validator.Validate([.. examples.Select(e => e with { Demonstrations = [], DemonstrationIds = [], DemonstrationLogProbs = [], FlaggedDemonstrations = 0 })]).Prompts;
    }

    private static IReadOnlyList<PromptExample> MeasuredExamples(TrainingConfiguration config, DatasetSplit split)
    {
        EvaluationOptions evaluation = config.Evaluation;
        IReadOnlyList<PromptExample> examples;
        if (!MeasuresBuiltIn(config))
        {
            if (evaluation.EvalDatasetName is not { } file) return [];
            examples = DatasetReader.Load(config.Data with { DatasetName = file, DataSources = null });
        }
        else
        {
            int items = evaluation.EvalItemsPerFamily > 0 ? evaluation.EvalItemsPerFamily : DefaultItemsPerFamily;
            examples = TaskSuite.Create(TaskSuite.Measured(config.Data.TaskFamilies), split, items, MeasurementSeed, config.Data.TaskLevel, config.Data.TaskNotation);
        }

        return evaluation.EvalItemsPerFamily > 0 ? [.. examples.GroupBy(e => e.Source).SelectMany(g => g.Take(evaluation.EvalItemsPerFamily))] : examples;
    }
}
