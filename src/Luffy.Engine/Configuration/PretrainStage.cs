namespace Luffy.Engine.Configuration;

/// <summary>One stage of pretraining: a mixture of the built-in task families and a learning rate schedule.</summary>
public sealed record PretrainStage
{
    /// <summary>For messages and metrics.</summary>
    public string Name { get; init; } = "";

    /// <summary>Steps of this stage.</summary>
    [Bounds(Minimum = 1)]
    public int MaxSteps { get; init; } = 1000;

    /// <summary>Examples of a step.</summary>
    [Bounds(Minimum = 1)]
    public int ExamplesPerStep { get; init; } = 128;

    /// <summary>The largest learning rate of the schedule.</summary>
    [Bounds(Minimum = 0)]
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>How the learning rate goes over the stage's steps.</summary>
    public LearningRateScheduler LrSchedulerType { get; init; } = LearningRateScheduler.Cosine;

    /// <summary>Steps over which the learning rate rises from zero.</summary>
    [Bounds(Minimum = 0)]
    public int WarmupSteps { get; init; }

    /// <summary>Whether the loss counts completions alone, or prompts too.</summary>
    public bool CompletionOnlyLoss { get; init; } = true;

    /// <summary>The mixture.</summary>
    public IReadOnlyList<PretrainFamilyOptions> Families { get; init; } = [];

    /// <summary>Checks what no key can check alone.</summary>
    /// <exception cref="LuffyException">The stage has no families, or a warm-up that its schedule does not know.</exception>
    public void Validate()
    {
        if (Families.Count == 0)
            throw LuffyException.Usage($"stage '{Name}' has no families; name at least one, such as families: [{{family: addition}}].");
        if (LrSchedulerType == LearningRateScheduler.Constant && WarmupSteps > 0)
            throw LuffyException.Usage($"stage '{Name}': lr_scheduler_type constant has no warm-up; use constant_with_warmup.");
    }
}
