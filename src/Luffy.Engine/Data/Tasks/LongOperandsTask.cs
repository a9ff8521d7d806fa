namespace Luffy.Engine.Data.Tasks;

/// <summary>
/// Out of distribution: addition, subtraction and multiplication with one digit more than the families of the same name have at that
/// level, worked in the same way.
/// </summary>
public sealed class LongOperandsTask : TaskFamily
{
    /// <inheritdoc/>
    public override string Name => "long_operands";

    /// <inheritdoc/>
    public override TaskCategory Category => TaskCategory.OutOfDistribution;

    /// <inheritdoc/>
    protected override string HastyWord => "anyway";

    /// <inheritdoc/>
    protected override TaskProblem Generate(TaskRandom random, int level)
    {
        int digits = level + 2;
        int a = Digits(random, digits);
        int b = Digits(random, digits);
        switch (random.Next(0, 2))
        {
            case 0:
                return Problem("+" + Unordered(a, b), $"{a}+{b}=?", a + b, [.. WrittenArithmetic.Add(a, b, digits)], a);
            case 1:
                if (a == b) a++;
                (a, b) = (Math.Max(a, b), Math.Min(a, b));
                string Less(int index) => "less " + WrittenArithmetic.Place(index);
                return Problem($"-{a},{b}", $"{a}-{b}=?", a - b, [.. WrittenArithmetic.Subtract(a, b, digits, Less)], a);
            default:
                int factor = random.Next(2, 9);
                return Problem($"*{a},{factor}", $"{a}*{factor}=?", a * factor,
                    [.. WrittenArithmetic.Multiply(a, factor, digits, _ => "times")], a);
        }
    }
}
