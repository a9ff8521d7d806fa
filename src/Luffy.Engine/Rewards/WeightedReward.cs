using Luffy.Engine.Data;

namespace Luffy.Engine.Rewards;

/// <summary>The weighted sum of several rewards. What was extracted is the first part's; notes are joined.</summary>
public sealed class WeightedReward : IReward
{
    private readonly IReadOnlyList<(IReward Reward, double Weight)> parts;

    /// <param name="parts">At least one reward, each with its weight.</param>
    public WeightedReward(IReadOnlyList<(IReward Reward, double Weight)> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentOutOfRangeException.ThrowIfZero(parts.Count);
        this.parts = parts;
    }

    /// <inheritdoc/>
    public string Name => string.Join('+', parts.Select(p => p.Reward.Name));

    /// <inheritdoc/>
    public RewardResult Score(PromptExample example, string completion)
    {
        double sum = 0;
        string? extracted = null;
        var notes = new List<string>();
        foreach (var (reward, weight) in parts)
        {
            var result = reward.Score(example, completion);
            sum += weight * result.Value;
            extracted ??= result.Extracted;
            if (result.Note is not null && !notes.Contains(result.Note)) notes.Add(result.Note);
        }

        return new RewardResult(sum, extracted, notes.Count == 0 ? null : string.Join("; ", notes));
    }
}
