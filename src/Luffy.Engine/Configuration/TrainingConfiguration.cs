using Luffy.Engine.Model;

namespace Luffy.Engine.Configuration;

/// <summary>
/// Everything that <c>luffy train</c> can be told. Keys are flat, in TRL's spelling where TRL has them; the groups below are for
/// readers. Defaults are those of the published LUFFY run (arXiv 2504.14945 and its script).
/// </summary>
public sealed record TrainingConfiguration
{
    /// <summary>How the policy is trained; it also decides the defaults of num_demonstrations and clip.</summary>
    public TrainingMethod Method { get; init; }

    /// <summary>The run directory; null means the first free one of runs/METHOD, runs/METHOD-2, and so on.</summary>
    public string? OutputDir { get; init; }

    /// <summary>Decides the order of prompts and every sampled token.</summary>
    [Bounds(Minimum = 0)]
    public long Seed { get; init; } = 42;

    /// <summary>A checkpoint directory, or <c>latest</c> for the newest intact one of output_dir; null starts anew.</summary>
    public string? ResumeFromCheckpoint { get; init; }

    /// <summary>The model and where it runs.</summary>
    [OptionGroup("Model")]
    public ModelOptions Model { get; init; } = new();

    /// <summary>Adapters.</summary>
    [OptionGroup("Low-rank adapters")]
    public LoraOptions Lora { get; init; } = new();

    /// <summary>Prompts, answers and demonstrations.</summary>
    [OptionGroup("Data")]
    public DataOptions Data { get; init; } = new();

    /// <summary>Sampling.</summary>
    [OptionGroup("Rollouts (a batch counts prompts)")]
    public RolloutOptions Rollout { get; init; } = new();

    /// <summary>Demonstrations in reinforcement learning.</summary>
    [OptionGroup("Guidance by demonstrations")]
    public GuidanceOptions Guidance { get; init; } = new();

    /// <summary>Rounds of a group's samples.</summary>
    [OptionGroup("Micro-groups")]
    public MicroGroupOptions MicroGroup { get; init; } = new();

    /// <summary>Past successes.</summary>
    [OptionGroup("Replay of past successes")]
    public ExperienceOptions Experience { get; init; } = new();

    /// <summary>Rewards and advantages.</summary>
    [OptionGroup("Rewards")]
    public RewardOptions Reward { get; init; } = new();

    /// <summary>The policy loss.</summary>
    [OptionGroup("Loss")]
    public LossOptions Loss { get; init; } = new();

    /// <summary>A supervised loss on demonstrations beside reinforcement learning.</summary>
    [OptionGroup("Supervised loss beside reinforcement learning")]
    public SupervisedLossOptions Supervised { get; init; } = new();

    /// <summary>AdamW and steps.</summary>
    [OptionGroup("Optimiser")]
    public OptimizerOptions Optimizer { get; init; } = new();

    /// <summary>Evaluation.</summary>
    [OptionGroup("Evaluation")]
    public EvaluationOptions Evaluation { get; init; } = new();

    /// <summary>Logging and checkpoints.</summary>
    [OptionGroup("Logging and checkpoints")]
    public LoggingOptions Logging { get; init; } = new();

    /// <summary>The first steps that are imitation: all for sft, none for luffy and grpo.</summary>
    public int ImitationSteps => Method switch
    {
        TrainingMethod.Sft => Optimizer.MaxSteps,
        TrainingMethod.SftThenRl => Optimizer.SftSteps ?? Optimizer.MaxSteps / 2,
        _ => 0,
    };

    /// <summary>What is said instead of the model's config.json.</summary>
    internal ConfigOverrides Overrides => new(Model.RopeTheta, Model.MaxPositionEmbeddings, Lora.Adapters());

    /// <summary>Rows of a group that are sampled.</summary>
    public int SampledRows => Rollout.NumGenerations - Guidance.NumDemonstrations;

    /// <summary>The defaults of a method.</summary>
    public static TrainingConfiguration DefaultsFor(TrainingMethod method)
    {
        bool luffy = method == TrainingMethod.Luffy;
        return new()
        {
            Method = method,
            Guidance = new() { NumDemonstrations = luffy ? 1 : 0 },
            Loss = new() { Clip = !luffy },
        };
    }

    /// <summary>Checks what no key can check alone.</summary>
    /// <exception cref="LuffyException">Keys contradict each other; the message names them.</exception>
    public void Validate()
    {
        Loss.Validate();
        ValidateGuidance();
        ValidateMicroGroups();
        ValidateExperience();
        ValidateOptimizer();
        ValidateSupervisedLoss();
        ValidateAdapters();
        Reward.Validate(SampledRows, Rollout.MaxCompletionLength);
    }

    private void ValidateGuidance()
    {
        int demonstrations = Guidance.NumDemonstrations;
        if (Method == TrainingMethod.Luffy && demonstrations == 0 && Guidance.PrefixStrategy == PrefixStrategy.None && !MicroGroup.HasRounds())
            throw LuffyException.Usage("method luffy needs num_demonstrations of at least 1, a prefix_strategy or micro_groups; use method: grpo for neither.");
        if (Method is TrainingMethod.Grpo or TrainingMethod.Sft && demonstrations > 0)
        {
            throw LuffyException.Usage(
                $"num_demonstrations is {demonstrations}, but method {ConfigurationKey.SnakeCase(Method.ToString())} puts no demonstrations into groups; use method: luffy.");
        }
        if (Method is TrainingMethod.Grpo or TrainingMethod.Sft && Guidance.PrefixStrategy != PrefixStrategy.None)
            throw LuffyException.Usage("prefix_strategy gives samples the beginning of a demonstration, which needs method: luffy.");
        if (Guidance.DemonstrationStart > 0 && demonstrations == 0)
            throw LuffyException.Usage("demonstration_start says when demonstrations join the groups, which needs num_demonstrations of at least 1.");
        if (Guidance.DemonstrationSwitch && (demonstrations == 0 || Guidance.DemonstrationGate is null))
            throw LuffyException.Usage("demonstration_switch chooses between samples and demonstrations, which needs num_demonstrations of at least 1 and a demonstration_gate.");
        if (Guidance.ImitateFailedEvery is not null && Method == TrainingMethod.Sft)
            throw LuffyException.Usage("imitate_failed_every adds imitation to reinforcement learning, but method sft has nothing else; use method: grpo.");
        if (SampledRows < 1)
        {
            throw LuffyException.Usage(
                $"num_demonstrations ({demonstrations}) must be less than num_generations ({Rollout.NumGenerations}), which counts them too: a group needs a sampled row.");
        }
        if (Guidance.PrefixStrategy == PrefixStrategy.None && (Guidance.PrefixUniform || Guidance.PrefixTopEntropy is not null))
            throw LuffyException.Usage($"{(Guidance.PrefixUniform ? "prefix_uniform" : "prefix_top_entropy")} is about prefixes of demonstrations, and prefix_strategy none gives none.");
        if (Guidance.MinPrefixRatio > Guidance.MaxPrefixRatio)
            throw LuffyException.Usage($"min_prefix_ratio ({Guidance.MinPrefixRatio}) must not be larger than max_prefix_ratio ({Guidance.MaxPrefixRatio}).");
        if (Guidance.PrefixStrategy != PrefixStrategy.None && Guidance.PrefixRows > SampledRows)
            throw LuffyException.Usage($"prefix_rows ({Guidance.PrefixRows}) must not be larger than the {SampledRows} sampled rows of a group.");
    }

    private void ValidateMicroGroups()
    {
        MicroGroup.Validate(Rollout.NumGenerations);
        if (!MicroGroup.HasRounds()) return;
        if (Method is not (TrainingMethod.Luffy or TrainingMethod.SftThenRl))
            throw LuffyException.Usage("micro_groups give samples the beginning of a demonstration, which needs method: luffy.");
        if (Guidance.NumDemonstrations > 0 || Guidance.PrefixStrategy != PrefixStrategy.None || Experience.ExperienceRatio > 0)
            throw LuffyException.Usage("micro_groups decide how demonstrations take part; set num_demonstrations: 0, prefix_strategy: none and experience_ratio: 0.");
    }

    private void ValidateExperience()
    {
        if (Experience.ExperienceRatio == 0) return;
        if (Method == TrainingMethod.Sft) throw LuffyException.Usage("experience_ratio replays what was sampled, but method sft samples nothing; use method: grpo.");
        if (Rollout.MaxResampleTimes > 0)
            throw LuffyException.Usage("experience_ratio takes a share of the prompts from the store, which max_resample_times would replace; set one of them to 0.");
        if (Guidance.DemonstrationSwitch)
            throw LuffyException.Usage("demonstration_switch learns from demonstrations instead of samples, and a replayed success is neither; set experience_ratio: 0.");
        if (SampledRows < 2)
            throw LuffyException.Usage($"experience_ratio puts a past success into a group beside samples, but a group has only {SampledRows} row for both; raise num_generations.");
    }

    private void ValidateSupervisedLoss()
    {
        Supervised.Validate();
        if (Loss.SftReshape != PolicyReshape.Logp && ImitationSteps == 0 && Guidance.ImitateFailedEvery is null && Supervised.SftLossCoef is null)
        {
            string reshape = ConfigurationKey.SnakeCase(Loss.SftReshape.ToString());
            throw LuffyException.Usage($"sft_reshape {reshape} is for imitation, and method {ConfigurationKey.SnakeCase(Method.ToString())} has none; use off_policy_reshape: {reshape}.");
        }
        if (Supervised.SftLossCoef is null) return;
        if (Guidance.NumDemonstrations == 0)
            throw LuffyException.Usage("sft_loss_coef weighs a supervised loss on the demonstrations of each group, but num_demonstrations is 0; set it to 1 at least, with method: luffy.");
        if (Optimizer.GradientDtype == GradientStorage.Bf16)
            throw LuffyException.Usage("gradient_dtype bf16 makes an update of one forward and backward pass, and sft_loss_coef needs one for each of its two losses; choose gradient_dtype: f32.");
    }

    private void ValidateAdapters()
    {
        if (Lora.Adapters() is not null && Optimizer.GradientDtype == GradientStorage.Bf16)
            throw LuffyException.Usage("gradient_dtype bf16 saves memory for the gradients of every weight, and use_peft trains adapters alone, whose gradients are small; choose gradient_dtype: f32.");
    }

    private void ValidateOptimizer()
    {
        ValidateRatios();
        if (Optimizer.MiniBatches > Rollout.PromptsPerStep)
            throw LuffyException.Usage($"mini_batches ({Optimizer.MiniBatches}) must not be larger than prompts_per_step ({Rollout.PromptsPerStep}): each needs a prompt.");
        if (Method == TrainingMethod.Sft && Optimizer.MaxRolloutTokens is not null)
            throw LuffyException.Usage("max_rollout_tokens counts sampled tokens, but method sft samples none; use max_steps.");
        if (Optimizer.LrSchedulerType == LearningRateScheduler.Constant && Optimizer.WarmupSteps > 0)
            throw LuffyException.Usage("lr_scheduler_type constant has no warm-up; use constant_with_warmup, or set warmup_steps to 0.");
        if (Method == TrainingMethod.SftThenRl ? Optimizer.SftSteps >= Optimizer.MaxSteps : Optimizer.SftSteps != null)
        {
            throw LuffyException.Usage(Method == TrainingMethod.SftThenRl
                ? $"sft_steps ({Optimizer.SftSteps}) must be less than max_steps ({Optimizer.MaxSteps}), which counts them too."
                : "sft_steps is only for method: sft_then_rl.");
        }
    }

    // Settings that speak of importance ratios need some that are not 1.
    private void ValidateRatios()
    {
        bool sequence = Loss.ImportanceSamplingLevel == ImportanceSamplingLevel.Sequence;
        if (!sequence && Loss.OnPolicyReshape != PolicyReshape.Cispo) return;
        string key = sequence ? "importance_sampling_level sequence" : "on_policy_reshape cispo";
        if (Optimizer.MiniBatches * Optimizer.NumIterations == 1)
            throw LuffyException.Usage($"{key} changes nothing where a step makes one update, because every importance ratio is 1 then; raise mini_batches or num_iterations.");
        if (sequence && Model.Fast)
            throw LuffyException.Usage("importance_sampling_level sequence needs log-probs that are the same in any batch, which fast does not give; set fast to false.");
    }
}
