using System.Text.Json;
using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Reporting;

/// <summary>summary.json: what a finished run comes down to.</summary>
public sealed record RunSummary
{
    /// <summary>How the policy was trained.</summary>
    public required string Method { get; init; }

    /// <summary>The seed.</summary>
    public required long Seed { get; init; }

    /// <summary>Steps made.</summary>
    public required int Steps { get; init; }

    /// <summary>Seconds in steps, over all parts of a resumed run.</summary>
    public required double Seconds { get; init; }

    /// <summary>Tokens trained on and sampled.</summary>
    public required long Tokens { get; init; }

    /// <summary>Tokens that were sampled; what max_rollout_tokens counts.</summary>
    public required long SampledTokens { get; init; }

    /// <summary>Tokens that went through the model forward and backward.</summary>
    public required long TrainedTokens { get; init; }

    /// <summary>Tokens that went through a model forward alone, for their log-probs.</summary>
    public required long ScoredTokens { get; init; }

    /// <summary>
    /// Floating-point operations of the model by the usual count, N its parameters: 2·N a token sampled or scored, 6·N a token trained on.
    /// Prompts that are read before sampling and measurements are not in it.
    /// </summary>
    public required double ModelFlops { get; init; }

    /// <summary>Tokens for each of those seconds.</summary>
    public double TokensPerSecond => Seconds > 0 ? Tokens / Seconds : 0;

    /// <summary>The largest resident set of the process.</summary>
    public required long PeakMemoryBytes { get; init; }

    /// <summary>What the plan foretold.</summary>
    public required long PlannedMemoryBytes { get; init; }

    /// <summary>The largest difference between a token's log-prob when sampled and when trained on.</summary>
    public double? MaxSamplingLogpDifference { get; init; }

    /// <summary>Greedy accuracy by family before the first step, with id_mean and ood_mean; null where it was not measured.</summary>
    public OrderedDictionary<string, double>? AccuracyBefore { get; init; }

    /// <summary>Greedy accuracy by family after the last step, with id_mean and ood_mean.</summary>
    public OrderedDictionary<string, double>? AccuracyAfter { get; init; }

    /// <summary>k of the sampled accuracies.</summary>
    public int? EvalSamples { get; init; }

    /// <summary>avg@k by family before the first step.</summary>
    public OrderedDictionary<string, double>? AvgAtKBefore { get; init; }

    /// <summary>avg@k by family after the last step.</summary>
    public OrderedDictionary<string, double>? AvgAtKAfter { get; init; }

    /// <summary>Greedy accuracy by family on the validation split after the last step; null where it was not measured.</summary>
    public OrderedDictionary<string, double>? AccuracyValidation { get; init; }

    /// <summary>avg@k by family on the validation split after the last step.</summary>
    public OrderedDictionary<string, double>? AvgAtKValidation { get; init; }

    /// <summary>Takes the accuracies from the measurements; each may be null.</summary>
    public RunSummary WithAccuracy(IReadOnlyList<FamilyAccuracy>? before, IReadOnlyList<FamilyAccuracy>? after, IReadOnlyList<FamilyAccuracy>? validation = null)
    {
        bool sampled = after?.Any(f => f.Samples > 0) == true;
        return this with
        {
            AccuracyBefore = before is null ? null : FamilyAccuracy.ByFamily(before, f => f.Greedy),
            AccuracyAfter = after is null ? null : FamilyAccuracy.ByFamily(after, f => f.Greedy),
            EvalSamples = sampled ? after!.Max(f => f.Samples) : null,
            AvgAtKBefore = sampled && before is not null ? FamilyAccuracy.ByFamily(before, f => f.AverageAtK) : null,
            AvgAtKAfter = sampled ? FamilyAccuracy.ByFamily(after!, f => f.AverageAtK) : null,
            AccuracyValidation = validation is null ? null : FamilyAccuracy.ByFamily(validation, f => f.Greedy),
            AvgAtKValidation = validation?.Any(f => f.Samples > 0) == true ? FamilyAccuracy.ByFamily(validation, f => f.AverageAtK) : null,
        };
    }

    /// <summary>The JSON text.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, JsonLines.Indented) + "\n";

    /// <summary>Reads one.</summary>
    /// <exception cref="LuffyException">It cannot be read, or holds something else.</exception>
    public static RunSummary Load(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<RunSummary>(File.ReadAllText(path), JsonLines.Indented)!;
        }
        catch (JsonException e)
        {
            throw new LuffyException($"{path}: this is not the summary of a run ({e.Message}); remove the run's folder to make it anew.", 1, e);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw new LuffyException($"{path}: cannot be read: {e.Message}", 1, e);
        }
    }

    /// <summary>Writes it; the file appears whole or not at all.</summary>
    /// <exception cref="LuffyException">It cannot be written.</exception>
    public void Save(string path) => AtomicFile.WriteAllText(path, ToJson());
}
