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
    // Up to here the cache holds a full batch of the longest sequences. Few completions are the longest, so that less does for larger ones.
    private const long AmpleCacheBytes = 1L << 30;
    private const double LeastCacheShare = 0.25;
    private const string ParkedMomentsCategory = "parked moments";
    private const string ExperienceCategory = "past successes";
    private readonly bool _deviceHasItsOwn;

    /// <summary>Plans a run.</summary>
    /// <param name="backend">Tells the sizes of packed weights, caches and scratch.</param>
    /// <param name="config">The run.</param>
    /// <param name="architecture">The model.</param>
    /// <param name="dtype">Storage type.</param>
    /// <param name="maxPrompt">Longest prompt of the data.</param>
    public MemoryPlan(IBackendSizes backend, TrainingConfiguration config, TransformerConfig architecture, DType dtype, int maxPrompt)
    {
        _deviceHasItsOwn = backend.HasDeviceMemory;
        var layout = new ParameterLayout(architecture);
        int completion = config.Rollout.MaxCompletionLength, length = maxPrompt + completion;
        // A prefix lengthens what is prefilled, not the whole.
        int prefill = config.Guidance.PrefixStrategy == PrefixStrategy.None && !config.MicroGroup.HasRounds() ? maxPrompt : length - 1;
        var rollout = new RolloutPlan(config.Rollout.RolloutBatchSize, prefill, completion) { MaxLength = length - 1 };
        Rollout = rollout with { CacheTokens = CacheTokens(backend, config.Rollout.KvCacheTokens, rollout, architecture, dtype) };
        int tokens = Math.Max(config.Optimizer.TokensPerMicroBatch, length - 1);
        GradientDType = config.Optimizer.GradientDtype.Resolve(dtype);
        int rows = (config.Rollout.PromptsPerStep + config.Optimizer.MiniBatches - 1) / config.Optimizer.MiniBatches * config.Rollout.NumGenerations;
        rows = Math.Max(rows, config.Guidance.ImitateFailedEvery ?? 0);
        if (GradientDType != DType.F32 && (long)rows * (length - 1) > tokens)
        {
            throw LuffyException.Usage($"gradient_dtype bf16 makes an update of one forward and backward pass, but the up to {rows} rows of an update can have " +
                $"{length - 1} tokens each and tokens_per_micro_batch is {config.Optimizer.TokensPerMicroBatch}; raise it to {(long)rows * (length - 1)}, " +
                "raise mini_batches, or choose gradient_dtype: f32");
        }

        MomentsPlace = config.Optimizer.OffloadOptimizer ? MemoryPlace.Host : MemoryPlace.Device;
        MomentDType = config.Optimizer.MomentDtype.Resolve(dtype);
        IReadOnlyList<(string Category, long Bytes)> parameters = ParameterSet.Plan(backend, layout, dtype, ParameterUse.Training, GradientDType, MomentDType);
        Training = new ActivationPlan(backend, architecture, dtype, new ActivationShape
        {
            Tokens = tokens,
            // Every row has at least a prompt token and a response token.
            Sequences = Math.Min(tokens, Math.Max(1, config.Rollout.PromptsPerStep * config.Rollout.NumGenerations)),
            MaxLength = length - 1,
            OutputRows = tokens,
            Training = true,
            Recompute = config.Model.GradientCheckpointing,
            LossScratchElsewhere = ParameterSet.FreeUntilBackwardBytes(layout, GradientDType),
        });
        ArenaBytes = Math.Max(Training.Bytes, Rollout.Activations(backend, architecture, dtype).Bytes);
        Categories =
        [
            .. parameters,
            .. config.Loss.Beta > 0 && architecture.Adapters is null ? ParameterSet.Plan(backend, layout, dtype, ParameterUse.Inference).Select(c => ("reference " + c.Category, c.Bytes)) : [],
            .. config.Guidance.ImitateFailedEvery is null ? [] : new[] { (ParkedMomentsCategory, ParkedMoments.Bytes(layout)) },
            .. config.Experience.ExperienceRatio == 0 ? [] : new[] { (ExperienceCategory, (long)config.Experience.ExperienceTokens * ExperienceStore.TokenBytes) },
            ("activations", ArenaBytes),
            ("key-value cache", KvCache.Bytes(backend, architecture, dtype, Rollout.CachePages)),
            ("tables", TransformerModel.RopeBytes(architecture, length) + AdamWOptimizer.Bytes(backend, layout)),
            ("backend workspace", backend.WorkspaceBytes),
        ];
    }

    /// <summary>Sizes of the rollout engine.</summary>
    public RolloutPlan Rollout { get; }

    /// <summary>Storage of the gradients of the layers' matrices.</summary>
    public DType GradientDType { get; }

    /// <summary>Storage of the optimiser's moments.</summary>
    public DType MomentDType { get; }

    /// <summary>Where the optimiser's moments lie.</summary>
    public MemoryPlace MomentsPlace { get; }

    /// <summary>Activations of an update.</summary>
    public ActivationPlan Training { get; }

    /// <summary>Bytes of the arena that both phases use in turn.</summary>
    public long ArenaBytes { get; }

    /// <summary>Bytes by category.</summary>
    public IReadOnlyList<(string Category, long Bytes)> Categories { get; }

    /// <summary>All of it.</summary>
    public long Bytes => Categories.Sum(c => c.Bytes);

    /// <summary>What of it lies on the host although the device has memory of its own.</summary>
    public long OffloadedBytes => Categories.Where(c => OnHost(c.Category)).Sum(c => c.Bytes);

    /// <summary>One line for people.</summary>
    public override string ToString() =>
        $"{Megabytes(Bytes)}: " + string.Join(", ", Categories.Where(c => c.Bytes > 0).Select(c => $"{c.Category}{Place(c.Category)} {Megabytes(c.Bytes)}"));

    private string Place(string category) => OnHost(category) ? " (on the host)" : "";

    /// <summary>Whether a category lies on the host although the device has memory of its own.</summary>
    public bool OnHost(string category) =>
        category == ParameterSet.MomentsCategory ? MomentsPlace == MemoryPlace.Host : _deviceHasItsOwn && category is ParkedMomentsCategory or ExperienceCategory;

    private static int CacheTokens(IBackendSizes backend, int wanted, RolloutPlan rollout, TransformerConfig architecture, DType dtype)
    {
        if (wanted > 0)
        {
            if (wanted >= rollout.MaxLength) return wanted;
            throw LuffyException.Usage($"kv_cache_tokens is {wanted}, but a prompt and its completion can have {rollout.MaxLength} tokens in the cache; " +
                $"raise it to {rollout.MaxLength} at least, lower max_completion_length, or set 0");
        }

        double share = (double)AmpleCacheBytes / KvCache.Bytes(backend, architecture, dtype, rollout.CachePages);
        return share >= 1 ? 0 : (int)(Math.Max(LeastCacheShare, share) * rollout.CachePages * IAttention.PageSize);
    }

    /// <summary>A size in MiB or GiB.</summary>
    public static string Megabytes(long bytes) => bytes >= 1L << 30 ? $"{bytes / (double)(1L << 30):0.00} GiB" : $"{bytes / (double)(1L << 20):0.0} MiB";
}
