namespace Luffy.Engine.Configuration;

/// <summary>Marks a property that holds a group of keys: the group gives no prefix to its keys unless <see cref="Prefix"/> does.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class OptionGroupAttribute(string title) : Attribute
{
    /// <summary>The heading above the group in a printed configuration.</summary>
    public string Title { get; } = title;

    /// <summary>Put before each key of the group, with its dot: <c>columns.</c>.</summary>
    public string Prefix { get; init; } = "";
}

/// <summary>The values that a number may have; both ends count unless said otherwise.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class BoundsAttribute : Attribute
{
    /// <summary>The smallest value.</summary>
    public double Minimum { get; init; } = double.NegativeInfinity;

    /// <summary>The largest value.</summary>
    public double Maximum { get; init; } = double.PositiveInfinity;

    /// <summary>True where the value must be larger than <see cref="Minimum"/>.</summary>
    public bool AboveMinimum { get; init; }

    /// <summary>True where the value must be smaller than <see cref="Maximum"/>.</summary>
    public bool BelowMaximum { get; init; }

    /// <summary>True when the number lies within the bounds; NaN never does.</summary>
    public bool Allows(double value) =>
        (AboveMinimum ? value > Minimum : value >= Minimum) && (BelowMaximum ? value < Maximum : value <= Maximum);

    /// <summary>The bounds as a condition on the key, such as <c>0 &lt; top_p ≤ 1</c>.</summary>
    public string Describe(string key)
    {
        string lower = double.IsFinite(Minimum) ? $"{Minimum} {(AboveMinimum ? '<' : '≤')} " : "";
        string upper = double.IsFinite(Maximum) ? $" {(BelowMaximum ? '<' : '≤')} {Maximum}" : "";
        return lower + key + upper;
    }
}
