namespace Luffy.Engine.Data.Tasks;

/// <summary>Subtracting a number of two, three or four digits (level 1, 2, 3) from a larger one, column by column.</summary>
public sealed class SubtractionTask : TaskFamily
{
    /// <inheritdoc/>
    public override string Name => "subtraction";

    /// <inheritdoc/>
    protected override string HastyWord => "about";

    /// <inheritdoc/>
    protected override TaskProblem Generate(TaskRandom random, int level)
    {
        int digits = level + 1;
        int a, b;
        do (a, b) = (Digits(random, digits), Digits(random, digits));
        while (a <= b);
        return Problem($"{a},{b}", $"{a}-{b}=?", a - b, [.. WrittenArithmetic.Subtract(a, b, digits, Label)], a);
    }

    private static string Label(int index) => "less " + WrittenArithmetic.Place(index);
}
