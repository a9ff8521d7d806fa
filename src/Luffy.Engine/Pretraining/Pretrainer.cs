using System.Diagnostics;
using Luffy.Engine.Checkpoint;
using Luffy.Engine.Configuration;
using Luffy.Engine.Data;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Evaluation;
using Luffy.Engine.Model;
using Luffy.Engine.Optim;
using Luffy.Engine.Reporting;
using Luffy.Engine.Rewards;
using Luffy.Engine.Rl;
using Luffy.Engine.Rollout;
using Luffy.Engine.Text;
using Luffy.Kernels;

namespace Luffy.Engine.Pretraining;

/// <summary>
/// Next-token training from scratch on mixtures of the built-in tasks, stage after stage. It is imitation with the trainer's own loss
/// (−ln p, global token mean); this is how the built-in base model was made.
/// </summary>
/// <param name="config">Architecture, stages and data.</param>
/// <param name="reward">Grades the accuracy that is measured after each stage.</param>
/// <param name="console">Where progress is told.</param>
public sealed class Pretrainer(PretrainConfiguration config, IReward reward, RunConsole console)
{
    private static readonly PolicyLossOptions CrossEntropy = new() { OffPolicyShaping = PolicyShaping.LogProb };

    /// <summary>Trains and writes the model directory.</summary>
    /// <exception cref="OperationCanceledException">It was interrupted; nothing is written then.</exception>
    public void Run(CancellationToken cancellation = default)
    {
        if (Directory.Exists(config.OutputDir) && Directory.EnumerateFileSystemEntries(config.OutputDir).Any())
            throw LuffyException.Usage($"{config.OutputDir} exists and is not empty; name another output_dir, or delete it");
        using IBackend backend = EngineBackend.Open(config.Backend, config.Threads, config.AllowEmulator);
        EngineBackend.WarnWhenSlow(backend, config.Backend, console);
        DType dtype = config.Dtype.Resolve(backend);
        AtomicDirectory.Create(config.OutputDir, directory =>
        {
            WriteTokenizer(directory);
            Train(backend, dtype, directory, cancellation);
        });
        console.Say($"wrote {config.OutputDir}");
    }

    private void Train(IBackend backend, DType dtype, string directory, CancellationToken cancellation)
    {
        BpeTokenizer tokenizer = BpeTokenizer.Load(directory);
        TransformerConfig architecture = Architecture(tokenizer.VocabularySize);
        File.WriteAllText(Path.Combine(directory, "config.json"), architecture.ToJson(tokenizer.EndOfTextId));
        using LanguageModel model = LanguageModel.Allocate(directory, backend, architecture, tokenizer, dtype, ParameterUse.Training, architecture.MaxPositions);
        if (config.InitialModel is { } initial) ModelWeights.Load(model.Parameters, ModelDirectory.Resolve(initial));
        else ModelWeights.Initialize(model.Parameters, config.Seed, config.Architecture.InitializerRange);

        var plan = new ActivationPlan(backend, architecture, dtype, new ActivationShape
        {
            Tokens = config.TokensPerMicroBatch,
            Sequences = config.TokensPerMicroBatch,
            MaxLength = architecture.MaxPositions,
            OutputRows = config.TokensPerMicroBatch,
            Training = true,
        });
        var rollouts = new RolloutPlan(128, Math.Max(1, architecture.MaxPositions - config.MaxCompletionLength), config.MaxCompletionLength);
        using DeviceBuffer arena = backend.Allocate("activations", Math.Max(plan.Bytes, rollouts.Activations(backend, architecture, dtype).Bytes));
        using var optimizer = new AdamWOptimizer(backend, model.Parameters.Layout, config.AdamBeta1, config.AdamBeta2, config.AdamEpsilon, config.WeightDecay, config.MaxGradNorm);
        var updater = new PolicyUpdater(backend, model.Model, plan, arena);
        console.Say($"{model.Parameters.Layout.ParameterCount:N0} parameters, {dtype.Name()}, {backend.Description}");

        using var engine = new RolloutEngine(backend, model.Model, dtype, rollouts, arena);
        for (int i = 0; i < config.Stages.Count; i++)
        {
            RunStage(i, model, updater, optimizer, cancellation);
            if (config.EvalItemsPerFamily > 0) Evaluate(config.Stages[i], model, engine, cancellation);
        }

        SafeTensorsModelWriter.Write(directory, ModelWeights.Sources(model.Parameters, SafeTensorsDType.BF16));
    }

    private void RunStage(int index, LanguageModel model, PolicyUpdater updater, AdamWOptimizer optimizer, CancellationToken cancellation)
    {
        PretrainStage stage = config.Stages[index];
        var schedule = new LearningRateSchedule(stage.LearningRate, stage.LrSchedulerType, stage.WarmupSteps, stage.MaxSteps);
        using var source = new PretrainRows(stage, model.Tokenizer, model.Template, PromptKey.StepSeed(config.Seed, index), model.Config.MaxPositions);
        string title = stage.Name.Length > 0 ? stage.Name : $"stage {index + 1}";
        var watch = Stopwatch.StartNew();
        long tokens = 0;
        console.Track(title, stage.MaxSteps, 0, tracker =>
        {
            for (int step = 0; step < stage.MaxSteps; step++)
            {
                cancellation.ThrowIfCancellationRequested();
                List<TrainingRow> rows = source.Next(stage.ExamplesPerStep);
                var statistics = new PolicyStatistics();
                model.Parameters.ZeroGradients();
                updater.Accumulate(model.Parameters, rows, LossWeights.Of(rows, LossNormalizer.Tokens, 1), CrossEntropy, statistics);
                UpdateResult update = optimizer.Update(model.Parameters, schedule.At(step));
                if (!update.Applied) throw new LuffyException($"{title}, step {step + 1}: the gradient is not finite; lower learning_rate or raise warmup_steps");
                tokens += rows.Sum(r => (long)r.InputTokens);
                tracker.Report(step + 1);
                if ((step + 1) % config.LoggingSteps == 0 || step + 1 == stage.MaxSteps)
                {
                    console.Say($"{title}: step {step + 1}/{stage.MaxSteps}  loss {statistics.Loss:0.0000}  probability {statistics.OffPolicy.Mean(statistics.OffPolicy.Probability):0.000}  " +
                        $"gradient norm {update.GradientNorm:0.00}  learning rate {schedule.At(step):0.0e+0}  {tokens / watch.Elapsed.TotalSeconds:N0} tokens/s");
                }
            }
        });
    }

    private void Evaluate(PretrainStage stage, LanguageModel model, RolloutEngine engine, CancellationToken cancellation)
    {
        int level = stage.Families.Max(f => f.Level);
        IReadOnlyList<TokenizedPrompt> prompts = [.. TaskSuite.Create([.. stage.Families.Select(f => f.Family).Distinct().Select(TaskSuite.Family)], DatasetSplit.Validation,
            config.EvalItemsPerFamily, (ulong)config.Seed, level).Select(e => new TokenizedPrompt { Example = e, PromptIds = model.Tokenizer.Encode(model.Template.Render(e.Messages)), Demonstrations = [] })];
        var evaluator = new Evaluator(model, engine, reward);
        IReadOnlyList<GradedCompletion> graded = evaluator.Grade(prompts, greedy: true, config.EvalSamples, 1, config.MaxCompletionLength, config.Seed, cancellation: cancellation);
        console.Table(null, Evaluator.Summarize(prompts, graded, TaskSuite.CategoryOf));
    }

    private void WriteTokenizer(string directory)
    {
        string source = config.Architecture.TokenizerNameOrPath;
        if (source == BuiltInModel.Name)
        {
            BuiltInTokenizer.Write(directory);
            return;
        }

        source = ModelDirectory.Resolve(source);
        foreach (string file in new[] { "tokenizer.json", "tokenizer_config.json" })
        {
            string path = Path.Combine(source, file);
            if (!File.Exists(path)) throw LuffyException.Usage($"{path}: missing; tokenizer_name_or_path must hold tokenizer.json and tokenizer_config.json");
            File.Copy(path, Path.Combine(directory, file));
        }
    }

    private TransformerConfig Architecture(int vocabulary)
    {
        ArchitectureOptions a = config.Architecture;
        return new TransformerConfig
        {
            ModelType = "qwen2",
            HiddenSize = a.HiddenSize,
            Layers = a.NumHiddenLayers,
            Heads = a.NumAttentionHeads,
            KeyValueHeads = a.NumKeyValueHeads,
            HeadDim = a.HiddenSize / a.NumAttentionHeads,
            IntermediateSize = a.IntermediateSize,
            VocabularySize = vocabulary,
            MaxPositions = a.MaxPositionEmbeddings,
            RmsNormEpsilon = (float)a.RmsNormEps,
            RopeTheta = a.RopeTheta,
            TieWordEmbeddings = a.TieWordEmbeddings,
            AttentionBias = true,
        };
    }
}
