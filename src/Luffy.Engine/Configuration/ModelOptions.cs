using Luffy.Engine.Model;

namespace Luffy.Engine.Configuration;

/// <summary>The model and where it runs.</summary>
public sealed record ModelOptions
{
    /// <summary>
    /// A model directory (config.json, safetensors, tokenizer files), the name of a model in the Hugging Face cache, or <c>builtin</c> for the small
    /// model that comes along (<c>builtin-harder</c>: that of the harder tasks).
    /// </summary>
    public string ModelNameOrPath { get; init; } = "builtin";

    /// <summary>Base of the rotary frequencies, instead of what the model's config.json says; checkpoints say it in theirs.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double? RopeTheta { get; init; }

    /// <summary>Longest context in tokens, instead of what the model's config.json says; checkpoints say it in theirs.</summary>
    [Bounds(Minimum = 1)]
    public int? MaxPositionEmbeddings { get; init; }

    /// <summary>auto, or the one backend that must be used: reference, cpu, ilgpu, cuda. One that is missing is an error.</summary>
    public string Backend { get; init; } = "auto";

    /// <summary>How weights and activations are stored.</summary>
    public StorageType Dtype { get; init; }

    /// <summary>Threads to compute with; 0 means one for each core. Results do not depend on it.</summary>
    [Bounds(Minimum = 0, Maximum = 4096)]
    public int Threads { get; init; }

    /// <summary>With backend ilgpu and no GPU: compute on an emulator of one, a thousand times slower than the cpu backend. For tests.</summary>
    public bool AllowEmulator { get; init; }

    /// <summary>
    /// With backend cuda: multiply by NVIDIA's library (cuBLASLt), which is faster. A token's log-prob then depends on what it is computed beside, so that
    /// the log-probs of what was sampled are computed once more before training.
    /// </summary>
    public bool Fast { get; init; }

    /// <summary>Recompute activations in the backward pass instead of keeping them: less memory, about a third more time.</summary>
    public bool GradientCheckpointing { get; init; }
}
