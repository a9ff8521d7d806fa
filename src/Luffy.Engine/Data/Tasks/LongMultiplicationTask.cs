namespace Luffy.Engine.Data.Tasks;

/// <summary>
/// Hard: a number of two digits by one of 11 to 19 (level 1), two digits by two (level 2), three digits by two (level 3): a row of partial
/// products for each digit of the second, then the columns of their sum.
/// </summary>
public sealed class LongMultiplicationTask : TaskFamily
{
    /// <inheritdoc/>
    public override string Name => "long_multiplication";

    /// <inheritdoc/>
    public override TaskCategory Category => TaskCategory.Hard;

    /// <inheritdoc/>
    protected override string HastyWord => "any";

    /// <inheritdoc/>
    protected override TaskProblem Generate(TaskRandom random, int level)
    {
        int digits = level < 3 ? 2 : 3;
        (int a, int b) = (Digits(random, digits), random.Next(11, level == 1 ? 19 : 99));
        (int ones, int tens) = (b % 10, b / 10);
        List<string> steps =
        [
            .. WrittenArithmetic.Multiply(a, ones, digits, _ => "times"),
            .. WrittenArithmetic.Multiply(a, tens, digits, _ => "times"),
            .. WrittenArithmetic.Add(a * ones, a * tens * 10, digits + 2),
        ];
        return Problem(Unordered(a, b), $"{Math.Max(a, b)}*{Math.Min(a, b)}=?", (long)a * b, steps, a, $"split {a}/{b}={a / b}\n");
    }
}
