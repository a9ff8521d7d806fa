namespace Luffy.Engine.Configuration;

/// <summary>How accuracy is measured before, during and after training.</summary>
public sealed record EvaluationOptions
{
    /// <summary>Evaluate every this many steps on the validation split; 0 means only before and after.</summary>
    [Bounds(Minimum = 0)]
    public int EvalSteps { get; init; }

    /// <summary>Measure before the first step, for the table of before and after.</summary>
    public bool EvalOnStart { get; init; } = true;

    /// <summary>The splits that are measured after the last step. The test split alone may be looked at before, too (eval_on_start).</summary>
    public IReadOnlyList<EvaluationSplit> EvalAfter { get; init; } = [EvaluationSplit.Test];

    /// <summary>A JSONL file with the same columns to evaluate on, or <c>builtin</c> for the built-in tasks; null means those where they are trained on, and nothing for other data.</summary>
    public string? EvalDatasetName { get; init; }

    /// <summary>Samples of each problem, for avg@k, pass@k and maj@k; 0 means greedy decoding only.</summary>
    [Bounds(Minimum = 0)]
    public int EvalSamples { get; init; } = 8;

    /// <summary>The temperature of those samples.</summary>
    [Bounds(Minimum = 0, AboveMinimum = true)]
    public double EvalTemperature { get; init; } = 0.6;

    /// <summary>Problems of each family or data source; 0 means all.</summary>
    [Bounds(Minimum = 0)]
    public int EvalItemsPerFamily { get; init; }
}
