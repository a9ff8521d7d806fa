namespace Luffy.Engine.Data.Tasks;

/// <summary>
/// Hard: a number below 125, 150 or 175 (level 1, 2, 3) written in a base from three to nine, by repeated division; the remainders are the
/// digits from the last.
/// </summary>
public sealed class BaseConversionTask : TaskFamily
{
    /// <inheritdoc/>
    public override string Name => "base_conversion";

    /// <inheritdoc/>
    public override TaskCategory Category => TaskCategory.Hard;

    /// <inheritdoc/>
    protected override string HastyWord => "sure";

    /// <inheritdoc/>
    protected override TaskProblem Generate(TaskRandom random, int level)
    {
        (int number, int numberBase) = (random.Next(10, 99 + (25 * level)), random.Next(3, 9));
        List<string> steps = [];
        long answer = 0, place = 1;
        for (int rest = number; rest > 0; rest /= numberBase, place *= 10)
        {
            int quotient = rest / numberBase, digit = rest % numberBase;
            steps.Add($"split {rest}/{numberBase}={quotient}\n");
            steps.Add($"less {rest}-{rest - digit}={digit}\n");
            answer += digit * place;
        }
        return Problem($"{number},{numberBase}", $"{number} to base {numberBase}=?", answer, steps, number, WrittenArithmetic.Remainder(number, numberBase, "bring").First());
    }
}
