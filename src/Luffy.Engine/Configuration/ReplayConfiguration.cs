namespace Luffy.Engine.Configuration;

/// <summary>The settings that <c>luffy replay</c> takes with <c>--set</c>: the loss of one explicit batch.</summary>
public sealed record ReplayConfiguration
{
    /// <summary>The policy loss; the entropy bonus is off unless asked for.</summary>
    [OptionGroup("Loss")]
    public LossOptions Loss { get; init; } = new() { EntropyCoef = 0 };

    /// <summary>Logits are divided by this.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double Temperature { get; init; } = 1;

    /// <summary>The length that loss_normalizer max_length and luffy_reference divide by.</summary>
    [Bounds(Minimum = 1)]
    public int MaxCompletionLength { get; init; } = 8192;

    /// <summary>Most tokens of one forward and backward pass. Changes speed and memory, never the gradient.</summary>
    [Bounds(Minimum = 1)]
    public int TokensPerMicroBatch { get; init; } = 16384;
}
