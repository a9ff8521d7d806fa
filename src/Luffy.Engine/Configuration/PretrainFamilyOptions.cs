namespace Luffy.Engine.Configuration;

/// <summary>How one task family appears in a stage's mixture.</summary>
public sealed record PretrainFamilyOptions
{
    /// <summary>The family's name, such as <c>addition</c>.</summary>
    public string Family { get; init; } = "";

    /// <summary>Its share of the examples, relative to the others' weights.</summary>
    [Bounds(Minimum = 0)]
    public double Weight { get; init; } = 1;

    /// <summary>The difficulty of its problems.</summary>
    [Bounds(Minimum = 1, Maximum = 3)]
    public int Level { get; init; } = 2;

    /// <summary>The share of completions that start to work the problem out rather than answer hastily.</summary>
    [Bounds(Minimum = 0, Maximum = 1)]
    public double ThinkRate { get; init; } = 1;

    /// <summary>The share of completions that go on at every further step of the work.</summary>
    [Bounds(Minimum = 0, Maximum = 1)]
    public double ContinueRate { get; init; } = 1;

    /// <summary>The share of examples that start midway, with the work up to there given and not learned.</summary>
    [Bounds(Minimum = 0, Maximum = 1)]
    public double MidwayRate { get; init; }

    /// <summary>The share of examples whose work is written in the notation <c>checked</c>.</summary>
    [Bounds(Minimum = 0, Maximum = 1)]
    public double CheckedRate { get; init; }

    /// <summary>The share of hasty completions that go astray by a line of another family's work; gcd, multiplication and the hard families have one.</summary>
    [Bounds(Minimum = 0, Maximum = 1)]
    public double WrongLineRate { get; init; }
}
