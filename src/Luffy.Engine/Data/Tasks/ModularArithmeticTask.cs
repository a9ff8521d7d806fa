namespace Luffy.Engine.Data.Tasks;

/// <summary>The remainder of a number of two, three or four digits (level 1, 2, 3) modulo 3 to 9, by long division.</summary>
public sealed class ModularArithmeticTask : TaskFamily
{
    /// <inheritdoc/>
    public override string Name => "modular";

    /// <inheritdoc/>
    protected override string HastyWord => "perhaps";

    /// <inheritdoc/>
    protected override TaskProblem Generate(TaskRandom random, int level)
    {
        int a = Digits(random, level + 1);
        int modulus = random.Next(3, 9);
        // The modulus is what the hasty answer names: no residue equals it.
        return Problem($"{a},{modulus}", $"{a} mod {modulus}=?", a % modulus, [.. WrittenArithmetic.Remainder(a, modulus, "bring")], modulus);
    }
}
