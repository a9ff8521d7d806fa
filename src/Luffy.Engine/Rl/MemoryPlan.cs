using Luffy.Engine.Configuration;
using Luffy.Engine.Model;
using Luffy.Engine.Optim;
using Luffy.Engine.Rollout;
using Luffy.Kernels;

namespace Luffy.Engine.Rl;

/// <summary>
/// Memory of a training run by category, computed before anything is allocated. Rollouts and updates take turns, so their activations share
/// one arena of the larger size.
/// </summary>
public sealed class MemoryPlan
{
    /// <summary>Plans a run.</summary>
    /// <param name="backend">Tells the sizes of packed weights, caches and scratch.</param>
    /// <param name="config">The run.</param>
    /// <param name="architecture">The model.</param>
    /// <param name="dtype">Storage type.</param>
    /// <param name="maxPrompt">Longest prompt of the data.</param>
    public MemoryPlan(IBackend backend, TrainingConfiguration config, TransformerConfig architecture, DType dtype, int maxPrompt)
    {
        var layout = new ParameterLayout(architecture);
        int completion = config.Rollout.MaxCompletionLength, length = maxPrompt + completion;
        // A prefix lengthens what is prefilled, not the whole.
        int prefill = config.Guidance.PrefixStrategy == PrefixStrategy.None ? maxPrompt : length - 1;
        Rollout = new RolloutPlan(config.Rollout.RolloutBatchSize, prefill, completion) { MaxLength = length - 1 };
        int tokens = Math.Max(config.Optimizer.TokensPerMicroBatch, length - 1);
        Training = new ActivationPlan(backend, architecture, dtype, new ActivationShape
        {
            Tokens = tokens,
            // Every row has at least a prompt token and a response token.
            Sequences = Math.Min(tokens, Math.Max(1, config.Rollout.PromptsPerStep * config.Rollout.NumGenerations)),
            MaxLength = length - 1,
            OutputRows = tokens,
            Training = true,
            Recompute = config.Model.GradientCheckpointing,
        });
        ArenaBytes = Math.Max(Training.Bytes, Rollout.Activations(backend, architecture, dtype).Bytes);
        Categories =
        [
            .. ParameterSet.Plan(backend, layout, dtype, ParameterUse.Training),
            .. config.Loss.Beta > 0 ? ParameterSet.Plan(backend, layout, dtype, ParameterUse.Inference).Select(c => ("reference " + c.Category, c.Bytes)) : [],
            ("activations", ArenaBytes),
            ("key-value cache", KvCache.Bytes(backend, architecture, dtype, Rollout.CachePages)),
            ("tables", TransformerModel.RopeBytes(architecture, length) + AdamWOptimizer.Bytes(backend, layout)),
            ("backend workspace", backend.WorkspaceBytes),
        ];
    }

    /// <summary>Sizes of the rollout engine.</summary>
    public RolloutPlan Rollout { get; }

    /// <summary>Activations of an update.</summary>
    public ActivationPlan Training { get; }

    /// <summary>Bytes of the arena that both phases use in turn.</summary>
    public long ArenaBytes { get; }

    /// <summary>Bytes by category.</summary>
    public IReadOnlyList<(string Category, long Bytes)> Categories { get; }

    /// <summary>All of it.</summary>
    public long Bytes => Categories.Sum(c => c.Bytes);

    /// <summary>One line for people.</summary>
    public override string ToString() =>
        $"{Megabytes(Bytes)}: " + string.Join(", ", Categories.Where(c => c.Bytes > 0).Select(c => $"{c.Category} {Megabytes(c.Bytes)}"));

    /// <summary>A size in MiB or GiB.</summary>
    public static string Megabytes(long bytes) => bytes >= 1L << 30 ? $"{bytes / (double)(1L << 30):0.00} GiB" : $"{bytes / (double)(1L << 20):0.0} MiB";
}
