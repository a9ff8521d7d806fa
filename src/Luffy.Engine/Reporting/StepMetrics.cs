using System.Collections;

namespace Luffy.Engine.Reporting;

/// <summary>
/// The figures of one step under their published names (<c>reward</c>, <c>actor/pg_loss</c>, <c>timing_s/rollout</c>, …), in the order
/// in which they were set. Times are seconds, lengths are tokens, entropies and log-probs are in nats.
/// </summary>
public sealed class StepMetrics(int step) : IEnumerable<KeyValuePair<string, double>>
{
    /// <summary>What the names of a step's phases start with; their sum is <see cref="StepTime"/>, less what no phase claims.</summary>
    public const string PhasePrefix = "timing_s/";

    /// <summary>Seconds of the whole step.</summary>
    public const string StepTime = "step_time";

    private readonly OrderedDictionary<string, double> _values = [];

    /// <summary>The step, counted from 1.</summary>
    public int Step { get; } = step;

    /// <summary>A figure; setting it again replaces it.</summary>
    /// <exception cref="KeyNotFoundException">Read and never set.</exception>
    public double this[string name]
    {
        get => _values[name];
        set => _values[name] = value;
    }

    /// <summary>The figure, or null where the step has none of this name.</summary>
    public double? Find(string name) => _values.TryGetValue(name, out double value) ? value : null;

    /// <summary>Seconds by phase, the prefix taken off.</summary>
    public IEnumerable<KeyValuePair<string, double>> Phases => _values
        .Where(v => v.Key.StartsWith(PhasePrefix, StringComparison.Ordinal))
        .Select(v => KeyValuePair.Create(v.Key[PhasePrefix.Length..], v.Value));

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, double>> GetEnumerator() => _values.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
