using System.Globalization;
using Luffy.Engine.Configuration;
using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Rl;

/// <summary>A setting of which more is faster, and how much of it there is room for while the others stay.</summary>
/// <param name="Key">The configuration's key.</param>
/// <param name="Now">Its value.</param>
/// <param name="Largest">The largest that fits and is of use; null where none fits.</param>
public sealed record PlannedLimit(string Key, int Now, int? Largest);

/// <summary>
/// What a training run needs of memory, whether it fits, how far it could grow, and what to change where it does not fit: worked out from the configuration
/// and the model's <c>config.json</c> alone, before anything runs. The longest prompt is taken to be <c>max_prompt_length</c>.
/// </summary>
public sealed class RunPlan
{
    private readonly TrainingConfiguration _config;
    private readonly TransformerConfig _architecture;
    private readonly IBackendSizes _sizes;

    private RunPlan(TrainingConfiguration config, TransformerConfig architecture, BackendMemory backend, long? memory)
    {
        (_config, _architecture, _sizes, Backend) = (config, architecture, backend.Sizes, backend.Description);
        DType = config.Model.Dtype.Resolve(backend.Sizes);
        Memory = PlanOf(config);
        AvailableBytes = memory ?? backend.FreeBytes;
        Parameters = new ParameterLayout(architecture).ParameterCount;
        Fits = AvailableBytes is null || FitsIn(config);
        Limits = AvailableBytes is null ? [] : FindLimits();
        Changes = Fits ? [] : FindChanges();
    }

    /// <summary>The method's name, as the configuration has it.</summary>
    public string Method => ConfigurationKey.SnakeCase(_config.Method.ToString());

    /// <summary>What it would compute on.</summary>
    public string Backend { get; }

    /// <summary>Storage of weights and activations.</summary>
    public DType DType { get; }

    /// <summary>The model's parameters.</summary>
    public long Parameters { get; }

    /// <summary>Bytes by category.</summary>
    public MemoryPlan Memory { get; }

    /// <summary>Bytes needed where it computes: all but what is offloaded.</summary>
    public long NeededBytes => Memory.Bytes - Memory.OffloadedBytes;

    /// <summary>Bytes there are for them; null where nobody tells.</summary>
    public long? AvailableBytes { get; }

    /// <summary>Whether they suffice; true where nobody tells.</summary>
    public bool Fits { get; }

    /// <summary>How far each setting could be raised by itself.</summary>
    public IReadOnlyList<PlannedLimit> Limits { get; }

    /// <summary>Settings with which it fits where it does not, as --set takes them; empty where no setting suffices.</summary>
    public IReadOnlyList<string> Changes { get; private set; }

    /// <summary>What the model's window lacks for the longest prompt and completion; null where it lacks nothing.</summary>
    public string? WindowWarning => Length <= _architecture.MaxPositions ? null
        : $"max_prompt_length and max_completion_length add up to {Length} tokens, but the model's window is {_architecture.MaxPositions} (max_position_embeddings)";

    private int Length => _config.Data.MaxPromptLength + _config.Rollout.MaxCompletionLength;

    /// <summary>Plans a run.</summary>
    /// <param name="config">The run.</param>
    /// <param name="backend">Where it would compute.</param>
    /// <param name="memory">Bytes there, instead of those that are free now.</param>
    /// <exception cref="LuffyException">The model's config.json is missing or malformed, or settings contradict each other.</exception>
    public static RunPlan Create(TrainingConfiguration config, BackendMemory backend, long? memory) =>
        new(config, TransformerConfig.Load(ModelDirectory.Resolve(config.Model.ModelNameOrPath), config.Overrides), backend, memory);

    private MemoryPlan PlanOf(TrainingConfiguration config) => new(_sizes, config, _architecture, DType, config.Data.MaxPromptLength);

    private bool FitsIn(TrainingConfiguration config)
    {
        MemoryPlan plan = PlanOf(config);
        return plan.Bytes - plan.OffloadedBytes <= AvailableBytes;
    }

    private List<PlannedLimit> FindLimits()
    {
        RolloutOptions rollout = _config.Rollout;
        int sampled = rollout.PromptsPerStep * _config.SampledRows, longest = Length - 1;
        int rows = (rollout.PromptsPerStep + _config.Optimizer.MiniBatches - 1) / _config.Optimizer.MiniBatches * rollout.NumGenerations;
        // Gradients in bf16 need an update in one pass, so that fewer tokens are not to be had.
        int fewest = Memory.GradientDType == DType.F32 ? longest : _config.Optimizer.TokensPerMicroBatch;
        long full = (long)rollout.RolloutBatchSize * longest;
        return
        [
            new("tokens_per_micro_batch", _config.Optimizer.TokensPerMicroBatch, Largest(WithTokens, fewest, (int)Math.Min((long)rows * longest, int.MaxValue / 2))),
            new("rollout_batch_size", rollout.RolloutBatchSize, Largest(n => _config with { Rollout = rollout with { RolloutBatchSize = n } }, 1, sampled)),
            new("kv_cache_tokens", rollout.KvCacheTokens, Largest(n => _config with { Rollout = rollout with { KvCacheTokens = n } }, longest, (int)Math.Min(full, int.MaxValue / 2))),
        ];

        TrainingConfiguration WithTokens(int n) => _config with { Optimizer = _config.Optimizer with { TokensPerMicroBatch = n } };
    }

    // Memory grows with each of these settings, so that halving finds the largest that fits.
    private int? Largest(Func<int, TrainingConfiguration> with, int smallest, int largest)
    {
        if (!FitsIn(with(smallest))) return null;
        int fits = smallest, tooMuch = Math.Max(smallest, largest) + 1;
        while (tooMuch - fits > 1)
        {
            int middle = fits + ((tooMuch - fits) / 2);
            if (FitsIn(with(middle))) fits = middle;
            else tooMuch = middle;
        }

        return fits;
    }

    // In order of what they cost. Those that turn out not to be needed are taken back, the dearest first.
    private List<string> FindChanges()
    {
        List<(string Text, Func<TrainingConfiguration, TrainingConfiguration> Apply)> changes = [];
        int longest = Length - 1;
        if (_config.Optimizer.TokensPerMicroBatch > longest && Memory.GradientDType == DType.F32)
            Add(Text("tokens_per_micro_batch", longest), c => c with { Optimizer = c.Optimizer with { TokensPerMicroBatch = longest } });
        if (!_config.Model.GradientCheckpointing) Add("gradient_checkpointing=true", c => c with { Model = c.Model with { GradientCheckpointing = true } });
        if (_config.Rollout.RolloutBatchSize > FewSequences)
            Add(Text("rollout_batch_size", FewSequences), c => c with { Rollout = c.Rollout with { RolloutBatchSize = FewSequences } });
        if (_config.Optimizer.MomentDtype == MomentStorage.F32 && DType == DType.Bf16)
            Add("moment_dtype=bf16", c => c with { Optimizer = c.Optimizer with { MomentDtype = MomentStorage.Bf16 } });
        if (!_config.Optimizer.OffloadOptimizer && _sizes.HasDeviceMemory)
            Add("offload_optimizer=true", c => c with { Optimizer = c.Optimizer with { OffloadOptimizer = true } });

        int enough = Enumerable.Range(1, changes.Count).FirstOrDefault(n => FitsIn(With(changes.Take(n))));
        if (enough == 0) return [];
        changes.RemoveRange(enough, changes.Count - enough);
        for (int i = changes.Count - 1; i >= 0; i--)
            if (FitsIn(With(changes.Where((_, at) => at != i)))) changes.RemoveAt(i);
        return [.. changes.Select(c => c.Text)];

        void Add(string text, Func<TrainingConfiguration, TrainingConfiguration> apply) => changes.Add((text, apply));

        TrainingConfiguration With(IEnumerable<(string Text, Func<TrainingConfiguration, TrainingConfiguration> Apply)> some) => some.Aggregate(_config, (c, change) => change.Apply(c));

        static string Text(string key, int value) => string.Create(CultureInfo.InvariantCulture, $"{key}={value}");
    }

    // So many still use what a pass reads of the weights.
    private const int FewSequences = 16;
}
