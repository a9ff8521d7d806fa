namespace Luffy.Engine.Data.Tasks;

/// <summary>Adding two numbers of two, three or four digits (level 1, 2, 3), column by column.</summary>
public sealed class AdditionTask : TaskFamily
{
    /// <inheritdoc/>
    public override string Name => "addition";

    /// <inheritdoc/>
    protected override string HastyWord => "maybe";

    /// <inheritdoc/>
    protected override TaskProblem Generate(TaskRandom random, int level)
    {
        int digits = level + 1;
        int a = Digits(random, digits);
        int b = Digits(random, digits);
        return Problem(Unordered(a, b), $"{a}+{b}=?", a + b, [.. WrittenArithmetic.Add(a, b, digits)], a);
    }
}
