namespace Luffy.Engine.Configuration;

/// <summary>Everything that <c>luffy pretrain</c> can be told: the shape of a new model and what it reads, in stages.</summary>
public sealed record PretrainConfiguration
{
    /// <summary>The model directory that is written.</summary>
    public string OutputDir { get; init; } = "";

    /// <summary>Decides the initial weights and the order of the data.</summary>
    [Bounds(Minimum = 0)]
    public long Seed { get; init; } = 42;

    /// <summary>auto, or the one backend that must be used.</summary>
    public string Backend { get; init; } = "auto";

    /// <summary>How weights and activations are stored.</summary>
    public StorageType Dtype { get; init; }

    /// <summary>Threads to compute with; 0 means one for each core.</summary>
    [Bounds(Minimum = 0, Maximum = 4096)]
    public int Threads { get; init; }

    /// <summary>With backend ilgpu and no GPU: compute on an emulator of one, a thousand times slower than the cpu backend. For tests.</summary>
    public bool AllowEmulator { get; init; }

    /// <summary>The model's shape.</summary>
    [OptionGroup("Model")]
    public ArchitectureOptions Architecture { get; init; } = new();

    /// <summary>A model directory to go on from; it must have the shape given here. Null means new random weights.</summary>
    public string? InitialModel { get; init; }

    /// <summary>Decoupled weight decay; norms and biases are exempt.</summary>
    [Bounds(Minimum = 0)]
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Decay of the first moment.</summary>
    [Bounds(Minimum = 0, Maximum = 1, BelowMaximum = true)]
    public double AdamBeta1 { get; init; } = 0.9;

    /// <summary>Decay of the second moment.</summary>
    [Bounds(Minimum = 0, Maximum = 1, BelowMaximum = true)]
    public double AdamBeta2 { get; init; } = 0.95;

    /// <summary>Added to the root of the second moment.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double AdamEpsilon { get; init; } = 1e-8;

    /// <summary>Gradients are scaled down to this global norm; 0 means never.</summary>
    [Bounds(Minimum = 0)]
    public double MaxGradNorm { get; init; } = 1;

    /// <summary>Most tokens of one forward and backward pass.</summary>
    [Bounds(Minimum = 1)]
    public int TokensPerMicroBatch { get; init; } = 16384;

    /// <summary>Print a line every this many steps.</summary>
    [Bounds(Minimum = 1)]
    public int LoggingSteps { get; init; } = 20;

    /// <summary>Problems of each family to measure accuracy on at the end; 0 means no measurement.</summary>
    [Bounds(Minimum = 0)]
    public int EvalItemsPerFamily { get; init; } = 100;

    /// <summary>Samples of each of those problems.</summary>
    [Bounds(Minimum = 0)]
    public int EvalSamples { get; init; } = 8;

    /// <summary>The longest completion when accuracy is measured, in tokens.</summary>
    [Bounds(Minimum = 1)]
    public int MaxCompletionLength { get; init; } = 256;

    /// <summary>What is trained on, one stage after the other; each starts its own schedule, moments stay.</summary>
    public IReadOnlyList<PretrainStage> Stages { get; init; } = [];

    /// <summary>Checks what no key can check alone.</summary>
    /// <exception cref="LuffyException">Something needed is missing, or keys contradict each other.</exception>
    public void Validate()
    {
        if (OutputDir.Length == 0)
            throw LuffyException.Usage("output_dir is not set; name the model directory to write.");
        if (Stages.Count == 0)
            throw LuffyException.Usage("stages is empty; name at least one stage with max_steps and families.");
        Architecture.Validate();
        foreach (PretrainStage stage in Stages)
            stage.Validate();
    }
}
