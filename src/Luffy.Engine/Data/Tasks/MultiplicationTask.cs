namespace Luffy.Engine.Data.Tasks;

/// <summary>
/// Multiplying a number of two, three or four digits (level 1, 2, 3) by a one-digit factor of at least two, by one partial product a
/// digit.
/// </summary>
public sealed class MultiplicationTask : TaskFamily
{
    /// <inheritdoc/>
    public override string Name => "multiplication";

    /// <inheritdoc/>
    protected override string HastyWord => "roughly";

    /// <inheritdoc/>
    protected override TaskProblem Generate(TaskRandom random, int level)
    {
        int digits = level + 1;
        int a = Digits(random, digits);
        int factor = random.Next(2, 9);
        return Problem($"{a},{factor}", $"{a}*{factor}=?", a * factor, [.. WrittenArithmetic.Multiply(a, factor, digits, _ => "times")], a,
            $"ones {a % 10}+{factor}+0={(a % 10) + factor:00}\n");
    }
}
