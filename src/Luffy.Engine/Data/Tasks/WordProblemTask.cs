namespace Luffy.Engine.Data.Tasks;

/// <summary>
/// Out of distribution: an addition, subtraction or multiplication told as a story, with operands of two, three or four digits
/// (level 1, 2, 3), worked like the bare problem.
/// </summary>
public sealed class WordProblemTask : TaskFamily
{
    private static readonly string[] Names = ["Ann", "Ben", "Eve", "Tom"];
    private static readonly string[] Things = ["apples", "coins", "books", "cards"];

    /// <inheritdoc/>
    public override string Name => "word_problem";

    /// <inheritdoc/>
    public override TaskCategory Category => TaskCategory.OutOfDistribution;

    /// <inheritdoc/>
    protected override string HastyWord => "whatever";

    /// <inheritdoc/>
    protected override TaskProblem Generate(TaskRandom random, int level)
    {
        int digits = level + 1;
        (string name, string things) = (random.Choose(Names), random.Choose(Things));
        int a = Digits(random, digits);
        int b = Digits(random, digits);
        switch (random.Next(0, 2))
        {
            case 0:
                return Problem($"+{name},{things},{Unordered(a, b)}", $"{name} has {a} {things} and gets {b} more. How many now?", a + b,
                    [.. WrittenArithmetic.Add(a, b, digits)], a);
            case 1:
                if (a == b) a++;
                (a, b) = (Math.Max(a, b), Math.Min(a, b));
                string Less(int index) => "less " + WrittenArithmetic.Place(index);
                return Problem($"-{name},{things},{a},{b}", $"{name} has {a} {things} and gives {b} away. How many now?", a - b,
                    [.. WrittenArithmetic.Subtract(a, b, digits, Less)], a);
            default:
                int factor = random.Next(2, 9);
                return Problem($"*{name},{things},{a},{factor}", $"{name} has {a} {things} in each of {factor} bags. How many?", a * factor,
                    [.. WrittenArithmetic.Multiply(a, factor, digits, _ => "times")], a);
        }
    }
}
