using System.Diagnostics;
using Luffy.Engine.Configuration;
using Luffy.Engine.Data;
using Luffy.Engine.Model;
using Luffy.Engine.Optim;
using Luffy.Engine.Reporting;
using Luffy.Kernels;

namespace Luffy.Engine.Rl;

/// <summary>What one step made.</summary>
/// <param name="Metrics">Its figures.</param>
/// <param name="Groups">Its rows.</param>
public sealed record StepOutcome(StepMetrics Metrics, IReadOnlyList<RolloutGroup> Groups);

/// <summary>
/// One step of training: prompts, rollouts and demonstrations, rewards, advantages, and the update (arXiv 2504.14945). SFT and GRPO are the
/// same step with only demonstrations or only samples in the groups.
/// </summary>
public sealed class MixedPolicyTrainer(TrainingConfiguration config, LanguageModel model, RolloutCollector collector, PolicyUpdater updater,
    SequenceScorer scorer, AdamWOptimizer optimizer, ParameterSet? reference)
{
    // How much the adaptive entropy bonus changes in a step, as in Skywork-OR1 (arXiv 2505.22312).
    private const double EntropyCoefficientStep = 0.0001;

    private readonly FailedPromptBuffer? _failures = config.Guidance.ImitateFailedEvery is { } batch ? new FailedPromptBuffer(batch) : null;
    private readonly ParkedMoments? _imitationMoments = config.Guidance.ImitateFailedEvery is null ? null : new ParkedMoments(model.Parameters, optimizer);

    private readonly ExperienceReplay? _replay = config.Experience.ExperienceRatio > 0 ? new ExperienceReplay(config, model, scorer) : null;

    private readonly PolicyStep _update = new(model.Parameters, updater, optimizer);

    /// <summary>Counters; saved and restored with a checkpoint.</summary>
    public TrainerState State { get; } = new() { EntropyCoefficient = config.Loss.EntropyCoef };

    /// <summary>What the method keeps beside <see cref="State"/>; saved and restored with it.</summary>
    public IReadOnlyList<ICheckpointedState> Kept => [.. new ICheckpointedState?[] { _failures, _imitationMoments, _replay?.Store }.OfType<ICheckpointedState>()];

    /// <summary>Finds a training prompt by its id: for those that are kept from step to step.</summary>
    public required Func<string, TokenizedPrompt> FindPrompt { get; init; }

    /// <summary>How far the run has come.</summary>
    public TrainingProgress Progress => TrainingProgress.Of(config, State);

    /// <summary>The machine's measured arithmetic, operations a second; null where the backend cannot tell, and then no share of it is reported.</summary>
    public double? PeakOperations { get; init; }

    /// <summary>Makes the next step. When cancelled before its first update, nothing has changed.</summary>
    /// <param name="next">Draws this many prompts; called again where groups are replaced.</param>
    /// <param name="cancellation">Honoured while sampling.</param>
    public StepOutcome Step(Func<int, IReadOnlyList<TokenizedPrompt>> next, CancellationToken cancellation)
    {
        var watch = Stopwatch.StartNew();
        TrainingProgress progress = Progress;
        bool imitation = progress.IsImitation;
        long scored = scorer.Tokens;
        int prompts = config.Rollout.PromptsPerStep;
        SampledGroups sampledGroups = imitation
            ? new SampledGroups(collector.Demonstrations(next(prompts)), [], 0)
            : _replay is not null
            ? new SampledGroups(collector.Collect(_replay.Prompts(State.Step, next, FindPrompt), State.Step, progress.UpToLastStep, 0, cancellation), [], 0)
            : DynamicSampling.Collect(prompts, config.Rollout.MaxResampleTimes, next, (some, round) => collector.Collect(
                [.. some.Select(p => new ReplayPrompt(p, null))], State.Step, progress.UpToLastStep, round, cancellation));
        IReadOnlyList<RolloutGroup> groups = sampledGroups.Groups;
        var metrics = new StepMetrics(State.Step + 1);
        double rollout = watch.Elapsed.TotalSeconds;
        double imitationWeight = imitation ? 1 : config.Supervised.CoefficientAt(progress.Step, progress.TotalSteps, progress.Spent);
        if (imitation)
        {
            foreach (GroupRow row in groups.SelectMany(g => g.Rows)) row.ImitationWeight = imitationWeight;
        }
        else
        {
            AdvantageAssignment.Assign(groups, config.Reward);
            if (config.Guidance.DemonstrationSwitch) AdvantageAssignment.SwitchToImitation(groups);
            WeighLosses(groups, imitationWeight);
            EntropyWeights.Apply(groups, config, rows => scorer.Entropies(model.Parameters, rows, (float)config.Rollout.Temperature));
        }

        double rate = imitation ? ImitationRate(progress) : Schedule(config.Optimizer.LearningRate, progress);
        double update = watch.Elapsed.TotalSeconds;
        var log = new UpdateLog();
        long trained = imitation
            ? UpdateOnce(groups, rate, log)
            : UpdateAll(groups, rate, log);
        if (!imitation && _failures is not null) trained += ImitateFailures(_failures, sampledGroups, metrics);
        if (!imitation && _replay is not null)
        {
            _replay.Store.Add(groups);
            StepReport.Experience(metrics, _replay.Store, groups);
        }

        double end = watch.Elapsed.TotalSeconds;

        if (!imitation) AdaptEntropy(log.First.OnPolicy);
        long sampled = imitation ? 0 : sampledGroups.All.Sum(g => g.Rows.Where(r => !r.IsDemonstration).Sum(r => (long)r.ResponseLength - r.OffPolicyTokens));
        State.Step++;
        State.Updates = optimizer.Updates;
        scored = scorer.Tokens - scored;
        State.Tokens += trained + sampled;
        State.SampledTokens += sampled;
        State.TrainedTokens += trained;
        State.ScoredTokens += scored;
        State.MaxLogProbDifference = Math.Max(State.MaxLogProbDifference, log.First.MaxLogProbDifference);

        StepReport.Fill(metrics, sampledGroups, log, imitation);
        metrics["actor/lr"] = rate;
        metrics["actor/entropy_coef"] = imitation ? 0 : State.EntropyCoefficient;
        metrics["actor/supervised_coef"] = groups.SelectMany(g => g.Rows).Select(r => r.ImitationWeight).DefaultIfEmpty().Max();
        metrics["num_tokens"] = State.Tokens;
        metrics["num_sampled_tokens"] = State.SampledTokens;
        metrics["perf/tokens_per_second"] = (trained + sampled) / end;
        ParameterLayout layout = model.Parameters.Layout;
        double operations = ((layout.TrainingOperations * trained) + (2.0 * layout.ParameterCount * (sampled + scored))) / end;
        metrics["perf/gflops"] = operations * 1e-9;
        if (PeakOperations is { } most) metrics["perf/percent_of_peak"] = 100 * operations / most;
        if (!imitation) metrics["timing_s/rollout"] = rollout;
        metrics["timing_s/update"] = end - update;
        metrics[StepMetrics.StepTime] = end;
        return new StepOutcome(metrics, groups);
    }

    private double ImitationRate(TrainingProgress progress) => Schedule(config.Optimizer.SftLearningRate ?? config.Optimizer.LearningRate, progress);

    private double Schedule(double peak, TrainingProgress progress) =>
        new LearningRateSchedule(peak, config.Optimizer.LrSchedulerType, config.Optimizer.WarmupSteps, progress.TotalSteps).At(progress.Step, progress.Spent);

    // The weights of the two losses, where there is a supervised one beside reinforcement learning.
    private void WeighLosses(IReadOnlyList<RolloutGroup> groups, double coefficient)
    {
        if (config.Supervised.SftLossCoef is null) return;
        foreach (GroupRow row in groups.SelectMany(g => g.Rows))
        {
            // A replayed success is the policy's own.
            if (row.IsDemonstration && !row.Replayed) row.ImitationWeight = coefficient;
            if (config.Supervised.SftLossInterpolation) row.LossWeight = 1 - coefficient;
        }
    }

    private long UpdateAll(IReadOnlyList<RolloutGroup> groups, double rate, UpdateLog log)
    {
        if (!model.Backend.BatchInvariant) RecomputeLogProbs(groups);
        Dictionary<GroupRow, float[]>? referenceLogProbs = reference is null ? null : ReferenceLogProbs(groups, reference);
        long tokens = 0;
        int parts = Math.Min(config.Optimizer.MiniBatches, groups.Count);
        if (config.Loss.OffPolicyReshape == PolicyReshape.RlPlus && parts * config.Optimizer.NumIterations > 1) ScoreDemonstrations(groups);
        for (int iteration = 0; iteration < config.Optimizer.NumIterations; iteration++)
        {
            for (int part = 0; part < parts; part++)
            {
                int first = groups.Count * part / parts, last = groups.Count * (part + 1) / parts;
                tokens += UpdateOnce([.. groups.Skip(first).Take(last - first)], rate, log, referenceLogProbs);
            }
        }

        return tokens;
    }

    // Updates between two steps of reinforcement learning, each on the demonstrations of prompts that failed.
    private long ImitateFailures(FailedPromptBuffer failures, SampledGroups sampled, StepMetrics metrics)
    {
        failures.Add(sampled.All);
        double rate = ImitationRate(Progress);
        var log = new UpdateLog();
        long tokens = 0, prompts = 0;
        while (failures.TakeBatch() is { } ids)
        {
            if (prompts == 0) _imitationMoments!.Exchange();
            IReadOnlyList<RolloutGroup> groups = collector.Demonstrations([.. ids.Select(FindPrompt)]);
            foreach (GroupRow row in groups.SelectMany(g => g.Rows)) row.ImitationWeight = 1;
            tokens += UpdateOnce(groups, rate, log);
            prompts += ids.Count;
        }

        if (prompts > 0) _imitationMoments!.Exchange();
        StepReport.Imitation(metrics, log, rate, prompts, failures.Waiting.Count);
        return tokens;
    }

    // One optimiser update over some groups.
    private long UpdateOnce(IReadOnlyList<RolloutGroup> groups, double rate, UpdateLog log, Dictionary<GroupRow, float[]>? referenceLogProbs = null)
    {
        UpdateRows rows = UpdateRows.Of(groups, config.Reward.MaskTruncatedCompletions, referenceLogProbs);
        float[] weights = LossWeights.Of(rows.Rows, config.Loss.LossNormalizer, config.Rollout.MaxCompletionLength);
        int[] chosen = [.. Enumerable.Range(0, weights.Length).Where(i => rows.HasGradient[i])];
        if (chosen.Length == 0) return 0;

        var statistics = new PolicyStatistics();
        IReadOnlyList<TrainingRow> learnt = [.. chosen.Select(i => rows.Rows[i])];
        var objectives = PolicyObjectives.Of(config.Loss, config.Rollout.Temperature, State.EntropyCoefficient);
        // Before a step's first update every ratio is 1.
        if (config.Loss.ImportanceSamplingLevel == ImportanceSamplingLevel.Sequence && log.Entries.Count > 0)
            learnt = SequenceRatio.Apply(learnt, scorer, model.Parameters, objectives.Reinforcement.Temperature);
        PolicyStepResult result = _update.Run(learnt, [.. chosen.Select(i => weights[i])], objectives, rate, statistics);
        log.Add(statistics, result.Update, result.OffPolicyNorm);
        return chosen.Sum(i => (long)rows.Rows[i].InputTokens);
    }

    private void RecomputeLogProbs(IReadOnlyList<RolloutGroup> groups)
    {
        GroupRow[] rows = [.. groups.SelectMany(g => g.Rows).Where(r => r.LogProbs is not null)];
        IReadOnlyList<float[]> current = scorer.LogProbs(model.Parameters, [.. rows.Select(r => UpdateRows.Member(r))], (float)config.Rollout.Temperature);
        for (int i = 0; i < rows.Length; i++) rows[i].LogProbs = current[i];
    }

    // The old policy's log-probs of demonstrations, which RL-PLUS weighs them by, while they are still those of the policy.
    private void ScoreDemonstrations(IReadOnlyList<RolloutGroup> groups)
    {
        GroupRow[] rows = [.. groups.Where(g => g.HasSignal).SelectMany(g => g.Rows).Where(r => r.OffPolicyTokens > 0)];
        IReadOnlyList<float[]> current = scorer.LogProbs(model.Parameters, [.. rows.Select(r => UpdateRows.Member(r))], (float)config.Rollout.Temperature);
        for (int i = 0; i < rows.Length; i++) rows[i].LogProbs = [.. current[i].Take(rows[i].OffPolicyTokens), .. rows[i].LogProbs?.Skip(rows[i].OffPolicyTokens) ?? []];
    }

    private Dictionary<GroupRow, float[]> ReferenceLogProbs(IReadOnlyList<RolloutGroup> groups, ParameterSet parameters)
    {
        GroupRow[] rows = [.. groups.Where(g => g.HasSignal).SelectMany(g => g.Rows)];
        IReadOnlyList<float[]> scores = scorer.LogProbs(parameters, [.. rows.Select(r => UpdateRows.Member(r))], (float)config.Rollout.Temperature);
        var result = new Dictionary<GroupRow, float[]>(ReferenceEqualityComparer.Instance);
        for (int i = 0; i < rows.Length; i++) result[rows[i]] = scores[i];
        return result;
    }

    private void AdaptEntropy(PolicyStatistics.Sums onPolicy)
    {
        if (config.Loss.TargetEntropy is not { } target || onPolicy.Tokens == 0) return;
        double step = onPolicy.Mean(onPolicy.Entropy) < target ? EntropyCoefficientStep : -EntropyCoefficientStep;
        State.EntropyCoefficient = Math.Max(0, State.EntropyCoefficient + step);
    }
}
