using Luffy.Engine.Configuration;

namespace Luffy.Engine.Rewards;

/// <summary>The rewards by the names that <c>reward_funcs</c> uses.</summary>
public static class RewardRegistry
{
    private static readonly IReward[] All = [new MathReward(), new FormatReward(), new MultipleChoiceReward()];

    /// <summary>The names there are.</summary>
    public static IReadOnlyList<string> Names { get; } = Array.ConvertAll(All, reward => reward.Name);

    /// <summary>The reward of a name.</summary>
    /// <exception cref="LuffyException">There is none; the message suggests the nearest.</exception>
    public static IReward Get(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (All.FirstOrDefault(reward => reward.Name == name) is { } found) return found;
        string hint = NearestKey.Find(name, Names) is { } nearest ? $"did you mean '{nearest}'?" : $"choose from {string.Join(", ", Names)}.";
        throw LuffyException.Usage($"reward_funcs: there is no reward '{name}'; {hint}");
    }

    /// <summary>The weighted sum of several rewards; of one with weight 1, that reward itself.</summary>
    /// <param name="names">At least one name.</param>
    /// <param name="weights">One weight each, or null for 1 each.</param>
    /// <exception cref="LuffyException">A name is unknown, there is none, or the counts differ.</exception>
    public static IReward Create(IReadOnlyList<string> names, IReadOnlyList<double>? weights = null)
    {
        ArgumentNullException.ThrowIfNull(names);
        if (names.Count == 0) throw LuffyException.Usage($"reward_funcs: found nothing, expected at least one of {string.Join(", ", Names)}.");
        if (weights is not null && weights.Count != names.Count)
            throw LuffyException.Usage($"reward_weights: found {weights.Count} weights for {names.Count} reward_funcs, expected one each.");
        var parts = names.Select((name, i) => (Get(name), weights?[i] ?? 1.0)).ToList();
        return parts is [(var only, 1.0)] ? only : new WeightedReward(parts);
    }

    /// <summary>The reward that judges whether an answer is right, leaving form aside: the first accuracy reward named, else the first of all.</summary>
    /// <exception cref="LuffyException">A name is unknown, or there is none.</exception>
    public static IReward Verifier(IReadOnlyList<string> names)
    {
        _ = Create(names);
        return Get(names.FirstOrDefault(name => name != "format") ?? names[0]);
    }
}
