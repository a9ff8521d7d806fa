namespace Luffy.Engine.Model;

/// <summary>
/// How the rotary frequencies θ^(−2i/D) of a model are changed for contexts longer than those that it was first trained on: <c>rope_scaling</c>
/// of config.json, or <c>rope_parameters</c> as Transformers 5 writes it. Formulas are those of Transformers 5 (modeling_rope_utils).
/// </summary>
public abstract record RopeScaling
{
    /// <summary>What cosines and sines are multiplied by.</summary>
    public virtual double AttentionFactor => 1;

    /// <summary>The spelling in config.json.</summary>
    public abstract string TypeName { get; }

    /// <summary>The scaled angular frequency of pair <paramref name="pair"/>.</summary>
    /// <param name="frequency">Unscaled: θ^(−2·pair/D).</param>
    /// <param name="pair">0 to D/2 − 1.</param>
    /// <param name="headDim">Elements of a head (D).</param>
    /// <param name="theta">Base of the frequencies (θ).</param>
    public abstract double Scale(double frequency, int pair, int headDim, double theta);

    /// <summary>The members beside <c>rope_type</c> in config.json.</summary>
    public abstract IEnumerable<(string Key, object Value)> Members { get; }
}

/// <summary>All positions are divided by the same factor (<c>linear</c>).</summary>
/// <param name="Factor">What they are divided by.</param>
public sealed record LinearRopeScaling(double Factor) : RopeScaling
{
    /// <inheritdoc/>
    public override string TypeName => "linear";

    /// <inheritdoc/>
    public override IEnumerable<(string Key, object Value)> Members => [("factor", Factor)];

    /// <inheritdoc/>
    public override double Scale(double frequency, int pair, int headDim, double theta) => frequency / Factor;
}

/// <summary>
/// The base grows with the length of a sequence that is longer than the window (<c>dynamic</c>, NTK-aware). Within the window nothing is scaled,
/// and no further does this engine go: beyond it every new token would turn the keys before it another way, so that a token's log-prob
/// would depend on what comes after it.
/// </summary>
/// <param name="Factor">How much longer a sequence may become; read, and of no effect within the window.</param>
public sealed record DynamicRopeScaling(double Factor) : RopeScaling
{
    /// <inheritdoc/>
    public override string TypeName => "dynamic";

    /// <inheritdoc/>
    public override IEnumerable<(string Key, object Value)> Members => [("factor", Factor)];

    /// <inheritdoc/>
    public override double Scale(double frequency, int pair, int headDim, double theta) => frequency;
}

/// <summary>Frequency scaling of Llama 3.1 (<c>llama3</c>): long wavelengths are stretched, short ones kept, a ramp between.</summary>
/// <param name="Factor">How much the long wavelengths are stretched.</param>
/// <param name="LowFrequencyFactor">Wavelengths above original length / this are stretched in full.</param>
/// <param name="HighFrequencyFactor">Wavelengths below original length / this are kept.</param>
/// <param name="OriginalMaxPositions">Context length that the base model was trained with.</param>
public sealed record Llama3RopeScaling(double Factor, double LowFrequencyFactor, double HighFrequencyFactor, int OriginalMaxPositions) : RopeScaling
{
    /// <inheritdoc/>
    public override string TypeName => "llama3";

    /// <inheritdoc/>
    public override IEnumerable<(string Key, object Value)> Members =>
    [
        ("factor", Factor), ("low_freq_factor", LowFrequencyFactor), ("high_freq_factor", HighFrequencyFactor),
        ("original_max_position_embeddings", OriginalMaxPositions),
    ];

    /// <inheritdoc/>
    public override double Scale(double frequency, int pair, int headDim, double theta)
    {
        double wavelength = 2 * Math.PI / frequency;
        if (wavelength > OriginalMaxPositions / LowFrequencyFactor) return frequency / Factor;
        if (wavelength < OriginalMaxPositions / HighFrequencyFactor) return frequency;
        double ramp = ((OriginalMaxPositions / wavelength) - LowFrequencyFactor) / (HighFrequencyFactor - LowFrequencyFactor);
        return ((1 - ramp) * frequency / Factor) + (ramp * frequency);
    }
}

/// <summary>
/// YaRN (arXiv 2309.00071, <c>yarn</c>): pairs that turn often within the original window keep their frequency, those that turn seldom are
/// divided by the factor, a ramp over the pair's index between; and the scores are sharpened by <see cref="AttentionFactor"/>².
/// </summary>
/// <param name="Factor">How much longer the context becomes.</param>
/// <param name="OriginalMaxPositions">Context length that the base model was trained with.</param>
/// <param name="CosineFactor">What cosines and sines are multiplied by.</param>
/// <param name="BetaFast">Pairs of at least so many turns keep their frequency.</param>
/// <param name="BetaSlow">Pairs of at most so many turns are divided in full.</param>
/// <param name="Truncate">Whether the ends of the ramp are moved outwards to whole pairs.</param>
public sealed record YarnRopeScaling(double Factor, int OriginalMaxPositions, double CosineFactor, double BetaFast, double BetaSlow, bool Truncate) : RopeScaling
{
    // What the ramp's end is moved by where it has no length.
    private const double ShortestRamp = 0.001;

    /// <inheritdoc/>
    public override string TypeName => "yarn";

    /// <inheritdoc/>
    public override double AttentionFactor => CosineFactor;

    /// <inheritdoc/>
    public override IEnumerable<(string Key, object Value)> Members =>
    [
        ("factor", Factor), ("original_max_position_embeddings", OriginalMaxPositions), ("attention_factor", CosineFactor),
        ("beta_fast", BetaFast), ("beta_slow", BetaSlow), ("truncate", Truncate),
    ];

    /// <summary>The factor of cosines and sines where config.json names none: 0.1·m·ln(factor) + 1, or the quotient of two such.</summary>
    /// <param name="factor">How much longer the context becomes.</param>
    /// <param name="scale"><c>mscale</c>, or 0.</param>
    /// <param name="scaleOfAllDimensions"><c>mscale_all_dim</c>, or 0.</param>
    public static double DefaultCosineFactor(double factor, double scale, double scaleOfAllDimensions)
    {
        return scale != 0 && scaleOfAllDimensions != 0 ? Of(scale) / Of(scaleOfAllDimensions) : Of(1);

        double Of(double m) => factor <= 1 ? 1 : (0.1 * m * Math.Log(factor)) + 1;
    }

    /// <inheritdoc/>
    public override double Scale(double frequency, int pair, int headDim, double theta)
    {
        double low = PairOf(BetaFast), high = PairOf(BetaSlow);
        if (Truncate) (low, high) = (Math.Floor(low), Math.Ceiling(high));
        (low, high) = (Math.Max(low, 0), Math.Min(high, headDim - 1));
        if (low == high) high += ShortestRamp;
        double stretched = Math.Clamp((pair - low) / (high - low), 0, 1);
        return (frequency / Factor * stretched) + (frequency * (1 - stretched));

        // The pair that makes so many turns within the original window, as a real number.
        double PairOf(double turns) => headDim * Math.Log(OriginalMaxPositions / (turns * 2 * Math.PI)) / (2 * Math.Log(theta));
    }
}
