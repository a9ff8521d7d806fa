namespace Luffy.Engine.Data.Tasks;

/// <summary>
/// Out of distribution: the remainder of a sum, (a + b) mod m, with operands of two, three or four digits (level 1, 2, 3): the columns
/// of an addition, then a long division of its result.
/// </summary>
public sealed class CompositionTask : TaskFamily
{
    /// <inheritdoc/>
    public override string Name => "composition";

    /// <inheritdoc/>
    public override TaskCategory Category => TaskCategory.OutOfDistribution;

    /// <inheritdoc/>
    protected override string HastyWord => "somehow";

    /// <inheritdoc/>
    protected override TaskProblem Generate(TaskRandom random, int level)
    {
        int digits = level + 1;
        (int a, int b, int modulus) = (Digits(random, digits), Digits(random, digits), random.Next(3, 9));
        List<string> steps = [.. WrittenArithmetic.Add(a, b, digits), .. WrittenArithmetic.Remainder(a + b, modulus, "bring")];
        return Problem($"{Unordered(a, b)},{modulus}", $"({a}+{b}) mod {modulus}=?", (a + b) % modulus, steps, modulus);
    }
}
