namespace Luffy.Engine.Configuration;

/// <summary>AdamW, its schedule, and how a step's rows are cut into updates.</summary>
public sealed record OptimizerOptions
{
    /// <summary>The largest learning rate of the schedule.</summary>
    [Bounds(Minimum = 0)]
    public double LearningRate { get; init; } = 1e-6;

    /// <summary>The learning rate of imitation steps (sft, sft_then_rl) and updates (imitate_failed_every); null means learning_rate.</summary>
    [Bounds(Minimum = 0)]
    public double? SftLearningRate { get; init; }

    /// <summary>How the learning rate goes over the steps.</summary>
    public LearningRateScheduler LrSchedulerType { get; init; }

    /// <summary>Steps over which the learning rate rises from zero.</summary>
    [Bounds(Minimum = 0)]
    public int WarmupSteps { get; init; }

    /// <summary>Decoupled weight decay; norms and biases are exempt.</summary>
    [Bounds(Minimum = 0)]
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>Decay of the first moment.</summary>
    [Bounds(Minimum = 0, Maximum = 1, BelowMaximum = true)]
    public double AdamBeta1 { get; init; } = 0.9;

    /// <summary>Decay of the second moment.</summary>
    [Bounds(Minimum = 0, Maximum = 1, BelowMaximum = true)]
    public double AdamBeta2 { get; init; } = 0.999;

    /// <summary>Added to the root of the second moment.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double AdamEpsilon { get; init; } = 1e-8;

    /// <summary>Gradients are scaled down to this global norm; 0 means never.</summary>
    [Bounds(Minimum = 0)]
    public double MaxGradNorm { get; init; } = 1;

    /// <summary>Steps of the whole run, imitation included. A step is one batch of prompts, whatever number of updates is made from it.</summary>
    [Bounds(Minimum = 1)]
    public int MaxSteps { get; init; } = 500;

    /// <summary>
    /// The run ends after the step in which this many tokens have been sampled, or after max_steps; null means after max_steps alone. The learning
    /// rate falls with whichever of the two is nearer, so that methods which sample longer or shorter answers are given the same budget.
    /// </summary>
    [Bounds(Minimum = 1)]
    public long? MaxRolloutTokens { get; init; }

    /// <summary>
    /// How many of the steps of sft_then_rl, from the first, are imitation; null means half. The steps after them have a warm-up and a schedule of
    /// their own, and the whole of max_rollout_tokens.
    /// </summary>
    [Bounds(Minimum = 1)]
    public int? SftSteps { get; init; }

    /// <summary>How often each batch of rollouts is gone through.</summary>
    [Bounds(Minimum = 1)]
    public int NumIterations { get; init; } = 1;

    /// <summary>Updates made each time the batch is gone through: its prompts are split evenly among them.</summary>
    [Bounds(Minimum = 1)]
    public int MiniBatches { get; init; } = 2;

    /// <summary>
    /// How the gradients of the layers' matrices are kept. bf16 takes half the memory: each is summed in f32 and rounded once, so an update must be
    /// one forward and backward pass (tokens_per_micro_batch), and actor/off_grad_norm_share is not measured where samples and demonstrations share it.
    /// </summary>
    public GradientStorage GradientDtype { get; init; }

    /// <summary>
    /// How the optimiser's moments are kept. bf16 takes half the memory, 4 bytes a parameter: each update rounds them up or down by chance, which
    /// seed, update and parameter decide, so that the many small changes of a slow average are not lost; runs still repeat to the bit.
    /// </summary>
    public MomentStorage MomentDtype { get; init; }

    /// <summary>
    /// Keeps the optimiser's moments in the host's memory, where a GPU reaches them across the bus: 8 bytes a parameter less of the GPU's memory, and
    /// an update that takes as long as the bus needs for 16 bytes a parameter; half of both with moment_dtype bf16. For the cuda backend.
    /// </summary>
    public bool OffloadOptimizer { get; init; }

    /// <summary>Most tokens of one forward and backward pass. Changes speed and memory, never the update.</summary>
    [Bounds(Minimum = 1)]
    public int TokensPerMicroBatch { get; init; } = 16384;
}
