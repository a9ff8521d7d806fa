using System.Text.Json.Nodes;
using Luffy.Engine.Checkpoint;
using Luffy.Engine.Configuration;
using Luffy.Engine.Evaluation;
using Luffy.Engine.Model;
using Luffy.Engine.Reporting;
using Luffy.Kernels;

namespace Luffy.Engine.Rl;

/// <summary>
/// The <c>replay</c> command: loss, statistics and gradients of one explicit batch. Its rows are those of a run's rollout records too, so
/// a recorded step can be executed again.
/// </summary>
public static class BatchReplay
{
    /// <summary>Computes the batch.</summary>
    /// <param name="modelDirectory">config.json and weights.</param>
    /// <param name="batch">JSONL rows.</param>
    /// <param name="gradients">Where gradients go as safetensors, f32, before clipping; null for nowhere.</param>
    /// <param name="config">The loss.</param>
    /// <param name="options">Backend, storage type, threads.</param>
    /// <returns>One object with <c>loss</c> and the <c>actor/*</c> statistics; null stands for what is not finite, which JSON cannot write.</returns>
    /// <exception cref="LuffyException">Model or batch is malformed, or the file cannot be written.</exception>
    public static JsonObject Run(string modelDirectory, string batch, string? gradients, ReplayConfiguration config, ModelOptions options)
    {
        string directory = ModelDirectory.Resolve(modelDirectory);
        TransformerConfig architecture = TransformerConfig.Load(directory);
        List<TrainingRow> rows = [.. JsonLineReader.Read(batch).SelectMany(line => Rows(line, architecture, config))];
        if (rows.Count == 0) throw new LuffyException($"{batch}: holds no rows; expected at least one JSON object");
        int longest = rows.Max(r => r.Ids.Length);

        using IBackend backend = EngineBackend.Open(options.Backend, options.Threads, options.AllowEmulator, options.Fast);
        DType dtype = options.Dtype.Resolve(backend, directory);
        using LanguageModel model = LanguageModel.Load(directory, backend, dtype, ParameterUse.Training, longest, withTokenizer: false);
        int tokens = Math.Max(longest, Math.Min(config.TokensPerMicroBatch, rows.Sum(r => r.InputTokens)));
        var plan = new ActivationPlan(backend, architecture, dtype, new ActivationShape
        {
            Tokens = tokens,
            Sequences = rows.Count,
            MaxLength = longest,
            OutputRows = tokens,
            Training = true,
            Recompute = options.GradientCheckpointing,
        });
        using DeviceBuffer arena = backend.Allocate("activations", plan.Bytes);
        var statistics = new PolicyStatistics();
        if (config.Loss.ImportanceSamplingLevel == ImportanceSamplingLevel.Sequence)
            rows = [.. SequenceRatio.Apply(rows, new SequenceScorer(backend, model.Model, plan, arena), model.Parameters, (float)config.Temperature)];
        var updater = new PolicyUpdater(backend, model.Model, plan, arena);
        var objectives = PolicyObjectives.Of(config.Loss, config.Temperature, config.Loss.EntropyCoef);
        float[] weights = LossWeights.Of(rows, config.Loss.LossNormalizer, config.MaxCompletionLength);
        foreach (bool imitated in (ReadOnlySpan<bool>)[true, false])
        {
            int[] chosen = [.. Enumerable.Range(0, rows.Count).Where(i => rows[i].Imitated == imitated)];
            updater.Accumulate(model.Parameters, [.. chosen.Select(i => rows[i])], [.. chosen.Select(i => weights[i])],
                imitated ? objectives.Imitation : objectives.Reinforcement, statistics);
        }

        double squares = 0;
        foreach (Parameter p in model.Parameters.Layout.Trained)
            foreach (CheckpointTensor t in p.Tensors)
                squares += ModelWeights.Read(model.Parameters, ParameterKind.Gradient, p, t).Sum(g => (double)g * g);
        if (gradients is not null)
        {
            IReadOnlyList<TensorSource> sources = ModelWeights.Sources(model.Parameters, ParameterKind.Gradient, SafeTensorsDType.F32, name => name);
            SafeTensorsWriter.WriteFile(gradients, sources);
        }

        var metrics = new StepMetrics(1);
        StepReport.Actor(metrics, statistics, Math.Sqrt(squares));
        var result = new JsonObject { ["loss"] = double.IsFinite(statistics.Loss) ? statistics.Loss : null, ["tokens"] = statistics.OnPolicy.Tokens + statistics.OffPolicy.Tokens + statistics.Imitated.Tokens };
        foreach ((string name, double value) in metrics)
            if (name != "loss") result[name] = double.IsFinite(value) ? value : null;
        return result;
    }

    // A recorded row is up to two rows of an update: a member of its group unless it was left out, and a row of the supervised loss.
    private static IEnumerable<TrainingRow> Rows(JsonLineReader.Line line, TransformerConfig architecture, ReplayConfiguration config)
    {
        int[] ids = line.Ids("ids", architecture.VocabularySize, 2);
        if (ids.Length > architecture.MaxPositions) throw line.Bad($"'ids' has {ids.Length} entries", $"at most {architecture.MaxPositions} (max_position_embeddings)");
        int prompt = line.Integer("prompt_length", 1, ids.Length - 1), response = ids.Length - prompt;
        string source = line.Text("source");
        if (source is not ("on" or "off")) throw line.Bad($"'source' is '{source}'", "'on' or 'off'");
        if (line.Has("imitation_weight"))
            yield return new TrainingRow { Ids = ids, PromptLength = prompt, OffPolicyTokens = response, Advantage = 1, Imitated = true, Weight = line.Number("imitation_weight") };
        if (line.Has("left_out") && line.Truth("left_out")) yield break;

        int prefix = line.Has("prefix_length") ? line.Integer("prefix_length", 0, response) : 0;
        float[]? reference = line.Has("reference_logprobs") ? line.Numbers("reference_logprobs", response) : null;
        if (config.Loss.Beta > 0 && reference is null) throw line.Bad("'reference_logprobs' is missing", $"{response} numbers, because beta is {config.Loss.Beta}");
        yield return new TrainingRow
        {
            Ids = ids,
            PromptLength = prompt,
            OffPolicyTokens = source == "off" ? response : prefix,
            Advantage = line.Number("advantage"),
            PrefixAdvantage = line.Has("prefix_advantage") ? line.Number("prefix_advantage") : null,
            // Given tokens of a prefix have none.
            OldLogProbs = line.Has("old_logprobs") ? line.Numbers("old_logprobs", response, allowNull: true) : null,
            BehaviorLogProbs = line.Has("behavior_logprobs") ? line.Numbers("behavior_logprobs", response, allowNull: true) : null,
            ReferenceLogProbs = reference,
            Weight = line.Has("loss_weight") ? line.Number("loss_weight") : 1,
            TokenWeights = line.Has("token_weights") ? line.Numbers("token_weights", response) : null,
        };
    }
}
