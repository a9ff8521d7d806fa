using System.Diagnostics;
using Luffy.Engine.Checkpoint;
using Luffy.Engine.Configuration;
using Luffy.Engine.Data;
using Luffy.Engine.Evaluation;
using Luffy.Engine.Model;
using Luffy.Engine.Optim;
using Luffy.Engine.Reporting;
using Luffy.Engine.Rewards;
using Luffy.Engine.Rollout;
using Luffy.Engine.Text;
using Luffy.Kernels;

namespace Luffy.Engine.Rl;

/// <summary>
/// A whole run: load, plan, measure, train, save, measure again. It owns the loop around <see cref="MixedPolicyTrainer.Step"/> and everything
/// that is written; the step itself knows of neither files nor consoles.
/// </summary>
/// <param name="config">The resolved configuration.</param>
/// <param name="run">Where everything is written.</param>
/// <param name="console">Where progress is told.</param>
public sealed class TrainingRun(TrainingConfiguration config, RunDirectory run, RunConsole console)
{
    // Of a progress bar that does not count steps.
    private const int ProgressParts = 1000;

    /// <summary>Executes the run from its start, or from a checkpoint.</summary>
    /// <param name="checkpoint">Where to go on from, or null.</param>
    /// <param name="onReady">Called once when everything is loaded and allocated, before anything is written.</param>
    /// <param name="cancellation">Saves a checkpoint after the current step and ends with <see cref="OperationCanceledException"/>.</param>
    public RunSummary Execute(SavedCheckpoint? checkpoint, Action onReady, CancellationToken cancellation)
    {
        // What the runtime itself takes is there before anything of ours.
        long runtimeBytes = ProcessMemory.ResidentBytes, managedBytes = ProcessMemory.ManagedBytes;
        using IBackend backend = EngineBackend.Open(config.Model.Backend, config.Model.Threads, config.Model.AllowEmulator, config.Model.Fast);
        EngineBackend.WarnWhenSlow(backend, config.Model.Backend, console);
        DType dtype = config.Model.Dtype.Resolve(backend);
        string directory = ModelDirectory.Resolve(config.Model.ModelNameOrPath);
        IReward reward = RewardRegistry.Create(config.Reward.RewardFuncs, config.Reward.RewardWeights);
        IReward verifier = RewardRegistry.Verifier(config.Reward.RewardFuncs);
        BpeTokenizer tokenizer = BpeTokenizer.Load(ModelDirectory.TokenizerOf(directory));
        TrainingData data = TrainingData.Load(config, directory, tokenizer, console);
        ProcessMemory.ReturnGarbage();
        long dataBytes = Math.Max(0, ProcessMemory.ManagedBytes - managedBytes);
        TransformerConfig architecture = TransformerConfig.Load(directory, config.Overrides);
        if (architecture.Adapters is not null && !config.Lora.UsePeft)
            throw new LuffyException($"{directory}: holds low-rank adapters; set use_peft to train them on, or merge them first: luffy merge --adapter {directory} --output DIR");
        var plan = new MemoryPlan(backend, config, architecture, dtype, data.MaxPromptTokens);
        long planned = plan.Bytes + runtimeBytes + dataBytes + ProcessMemory.ManagedAllowance;
        console.Say($"{config.Method.ToString().ToLowerInvariant()} on {directory}, {dtype.Name()}, {backend.Description}");
        console.Say($"memory plan {MemoryPlan.Megabytes(planned)}: runtime and data {MemoryPlan.Megabytes(planned - plan.Bytes)}, buffers {plan}");
        ProcessMemory.RequireAvailable(backend, plan.Bytes, plan.OffloadedBytes);

        using LanguageModel model = LanguageModel.Load(directory, backend, dtype, ParameterUse.Training, data.MaxPromptTokens + config.Rollout.MaxCompletionLength,
            chatTemplate: config.Data.ChatTemplate, gradientDType: plan.GradientDType, moments: plan.MomentsPlace, momentDType: plan.MomentDType,
            overrides: config.Overrides, adapterSeed: config.Seed, name: config.Model.ModelNameOrPath, loaded: tokenizer);
        if (architecture.Adapters is { } adapters)
            console.Say($"low-rank adapters of {adapters}: {model.Parameters.Layout.TrainedCount:N0} of {model.Parameters.Layout.ParameterCount:N0} parameters are trained");
        using ParameterSet? reference = config.Loss.Beta > 0 ? Reference(model, directory) : null;
        using DeviceBuffer arena = backend.Allocate("activations", plan.ArenaBytes);
        using var engine = new RolloutEngine(backend, model.Model, dtype, plan.Rollout, arena);
        OptimizerOptions o = config.Optimizer;
        using var optimizer = new AdamWOptimizer(backend, model.Parameters.Layout, o.AdamBeta1, o.AdamBeta2, o.AdamEpsilon, o.WeightDecay, o.MaxGradNorm)
        {
            RoundingSeed = config.Seed,
        };
        Tensor lossScratch = plan.Training.LossScratchIsElsewhere ? model.Parameters.FreeUntilBackward : default;
        var trainer = new MixedPolicyTrainer(config, model, new RolloutCollector(config, model, engine, reward, verifier),
            new PolicyUpdater(backend, model.Model, plan.Training, arena, lossScratch),
            new SequenceScorer(backend, model.Model, plan.Training, arena, lossScratch), optimizer, reference)
        {
            FindPrompt = data.Find,
            PeakOperations = backend.MeasureArithmetic(dtype),
        };
        var store = new CheckpointStore(run.Root, config.Logging.SaveTotalLimit);

        ProcessMemory.ReturnGarbage();
        onReady();
        var evaluation = new RunEvaluation(config, model, engine, verifier, data, new EvaluationLog(run, checkpoint is null ? -1 : (int)checkpoint.Step), console);
        IReadOnlyList<FamilyAccuracy>? before = null;
        if (checkpoint is not null)
        {
            before = TrainerCheckpoint.Load(checkpoint, model, optimizer, trainer.State, trainer.Kept);
            data.Cursor = new DatasetCursor(trainer.State.Epoch, trainer.State.Position);
            console.Say($"resumed from step {trainer.State.Step}: {checkpoint.DirectoryPath}");
        }
        else if (config.Evaluation.EvalOnStart)
        {
            before = evaluation.Before(cancellation);
        }

        double secondsBefore = MetricsLog.SecondsUpTo(run.Metrics, trainer.State.Step);
        var watch = Stopwatch.StartNew();
        Train(trainer, data, evaluation, store, model, before, cancellation);
        double seconds = secondsBefore + watch.Elapsed.TotalSeconds;
        TrainerState state = trainer.State;
        IReadOnlyList<FamilyAccuracy>? validation = After(EvaluationSplit.Validation), after = After(EvaluationSplit.Test);
        if (after is not null) console.Table(before, after);

        var summary = new RunSummary
        {
            Method = ConfigurationKey.SnakeCase(config.Method.ToString()),
            Seed = config.Seed,
            Steps = state.Step,
            Seconds = seconds,
            Tokens = state.Tokens,
            SampledTokens = state.SampledTokens,
            TrainedTokens = state.TrainedTokens,
            ScoredTokens = state.ScoredTokens,
            ModelFlops = (2.0 * model.Parameters.Layout.ParameterCount * (state.SampledTokens + state.ScoredTokens)) + (model.Parameters.Layout.TrainingOperations * state.TrainedTokens),
            PeakMemoryBytes = ProcessMemory.PeakBytes,
            PlannedMemoryBytes = planned,
            MaxSamplingLogpDifference = config.ImitationSteps >= config.Optimizer.MaxSteps ? null : state.MaxLogProbDifference,
        }.WithAccuracy(before, after, validation);
        summary.Save(run.Summary);
        console.Say($"peak memory {MemoryPlan.Megabytes(summary.PeakMemoryBytes)}, planned {MemoryPlan.Megabytes(planned)} ({(double)summary.PeakMemoryBytes / planned:P1})");
        console.Say($"{summary.Steps} steps in {StepLine.FormatDuration(TimeSpan.FromSeconds(seconds))}; the run is in {run.Root}");
        return summary;

        IReadOnlyList<FamilyAccuracy>? After(EvaluationSplit split) =>
            config.Evaluation.EvalAfter.Contains(split) ? evaluation.After(state.Step, split, cancellation) : null;
    }

    private void Train(MixedPolicyTrainer trainer, TrainingData data, RunEvaluation evaluation, CheckpointStore store, LanguageModel model,
        IReadOnlyList<FamilyAccuracy>? before, CancellationToken cancellation)
    {
        TrainerState state = trainer.State;
        int total = config.Optimizer.MaxSteps, savedAt = -1;
        using MetricsLog? metrics = config.Logging.ReportTo.Contains(ReportTarget.Jsonl) ? new MetricsLog(run.Metrics, state.Step) : null;
        RolloutLog? rollouts = config.Logging.ReportTo.Contains(ReportTarget.Rollouts) ? new RolloutLog(run.Rollouts, state.Step) : null;
        // A budget may end the run long before the last step that it is allowed.
        bool budget = config.Optimizer.MaxRolloutTokens is not null;
        int Done() => budget ? (int)(ProgressParts * trainer.Progress.Done) : state.Step;
        console.Track("training", budget ? ProgressParts : total, Done(), tracker =>
        {
            while (!trainer.Progress.IsFinished)
            {
                StepOutcome outcome;
                DatasetCursor start = data.Cursor;
                try
                {
                    cancellation.ThrowIfCancellationRequested();
                    outcome = trainer.Step(data.Next, cancellation);
                }
                catch (OperationCanceledException)
                {
                    data.Cursor = start;
                    if (state.Step > 0 && savedAt != state.Step) Save();
                    throw;
                }

                (state.Epoch, state.Position) = (data.Cursor.Epoch, data.Cursor.Position);
                Report(outcome, metrics, rollouts, model, data);
                tracker.Report(Done());
                bool last = trainer.Progress.IsFinished;
                if (config.Evaluation.EvalSteps > 0 && state.Step % config.Evaluation.EvalSteps == 0 && !last)
                    evaluation.During(state.Step, cancellation);
                if (last || (config.Logging.SaveSteps > 0 && state.Step % config.Logging.SaveSteps == 0)) Save();
            }
        });

        void Save()
        {
            TrainerCheckpoint.Save(store, model, state, before, trainer.Kept);
            savedAt = state.Step;
        }
    }

    private void Report(StepOutcome outcome, MetricsLog? metrics, RolloutLog? rollouts, LanguageModel model, TrainingData data)
    {
        int step = outcome.Metrics.Step;
        metrics?.Write(outcome.Metrics);
        RolloutRecord[] records = [.. outcome.Groups.SelectMany(g => g.Rows.Select(r => Record(g, r, model)))];
        rollouts?.Write(step, records);
        if (step % config.Logging.LoggingSteps == 0 || step == config.Optimizer.MaxSteps) console.Step(outcome.Metrics, config.Optimizer.MaxSteps);
        if (outcome.Metrics.Find("actor/skipped_updates") is > 0 || outcome.Metrics.Find("actor/sft_skipped_updates") is > 0)
            console.Warn($"step {step}: the gradient was not finite and the update was skipped; the rows are in {run.Rollouts}");
        if (config.Logging.LogCompletionsSteps > 0 && step % config.Logging.LogCompletionsSteps == 0)
        {
            // Another prompt each time, so that a reader sees all kinds.
            RolloutRecord[] sampled = [.. records.Where(r => r.Source == "on")];
            RolloutRecord[] from = sampled.Length > 0 ? sampled : records;
            console.Completions(step, Enumerable.Range(0, Math.Min(config.Logging.NumCompletionsToPrint, from.Length)).Select(i => from[((step * 31) + (i * 97)) % from.Length]));
        }
    }

    private RolloutRecord Record(RolloutGroup group, GroupRow row, LanguageModel model) => new()
    {
        PromptId = group.Prompt.Example.Id,
        DataSource = group.Prompt.Example.Source,
        Prompt = model.Tokenizer.Decode(group.Prompt.PromptIds),
        Text = row.Text,
        Ids = row.Ids,
        PromptLength = row.PromptLength,
        Source = row.IsDemonstration ? "off" : "on",
        PrefixLength = row.IsDemonstration ? 0 : row.OffPolicyTokens,
        Reward = row.Reward,
        Extracted = row.Result.Extracted,
        Advantage = row.Advantage,
        OldLogprobs = row.LogProbs,
        BehaviorLogprobs = row.BehaviorLogProbs,
        PrefixAdvantage = row.PrefixAdvantage,
        LeftOut = UpdateRows.TakesPart(row, config.Reward.MaskTruncatedCompletions) ? null : true,
        ImitationWeight = row.ImitationWeight > 0 ? row.ImitationWeight : null,
        LossWeight = !group.HasSignal && !row.LeftOut ? 0 : row.LossWeight == 1 ? null : row.LossWeight,
        TokenWeights = row.TokenWeights,
    };

    private static ParameterSet Reference(LanguageModel model, string directory)
    {
        if (model.Config.Adapters is not null) return model.Parameters.WithoutAdapters();
        var reference = new ParameterSet(model.Backend, model.Parameters.Layout, model.Parameters.DType, ParameterUse.Inference);
        ModelWeights.Load(reference, directory);
        return reference;
    }
}
