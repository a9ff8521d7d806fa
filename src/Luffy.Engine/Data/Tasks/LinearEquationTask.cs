namespace Luffy.Engine.Data.Tasks;

/// <summary>
/// Solving ax + b = c for a one-digit x: move b over by column subtraction, then divide. Level 1 has a one-digit b; level 2 a two-digit
/// b and c; level 3 a two- or three-digit b and a three-digit c.
/// </summary>
public sealed class LinearEquationTask : TaskFamily
{
    /// <inheritdoc/>
    public override string Name => "linear";

    /// <inheritdoc/>
    protected override string HastyWord => "probably";

    /// <inheritdoc/>
    protected override TaskProblem Generate(TaskRandom random, int level)
    {
        (int minimum, int maximum) = level switch { 1 => (1, 9), 2 => (10, 99), _ => (20, 900) };
        int a, x, b, c;
        do
        {
            (a, x, b) = (random.Next(2, 9), random.Next(2, 9), random.Next(minimum, maximum));
            c = a * x + b;
        }
        while (b == x || c > 999 || (level < 3) != (c < 100) || (level == 1 && c < 10));
        List<string> steps = [.. WrittenArithmetic.Subtract(c, b, level < 3 ? 2 : 3, _ => "move")];
        steps.Add($"split {a * x:00}/{a}={x}\n");
        return Problem($"{a},{b},{c}", $"{a}x+{b}={c}, x=?", x, steps, b);
    }
}
