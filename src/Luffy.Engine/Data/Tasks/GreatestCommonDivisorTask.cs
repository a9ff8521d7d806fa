namespace Luffy.Engine.Data.Tasks;

/// <summary>
/// The greatest common divisor of two numbers below 100 by Euclid's subtractions, the smaller from the larger until both are equal:
/// 2–5, 2–9 or 2–12 subtractions (level 1, 2, 3). Neither number divides the other.
/// </summary>
public sealed class GreatestCommonDivisorTask : TaskFamily
{
    /// <inheritdoc/>
    public override string Name => "gcd";

    /// <inheritdoc/>
    protected override string HastyWord => "surely";

    /// <inheritdoc/>
    protected override TaskProblem Generate(TaskRandom random, int level)
    {
        int longest = level switch { 1 => 5, 2 => 9, _ => 12 };
        while (true)
        {
            (int a, int b) = (random.Next(10, 99), random.Next(4, 98));
            if (a <= b || a % b == 0) continue;
            List<string> steps = [];
            (int larger, int smaller) = (a, b);
            while (larger != smaller && steps.Count <= longest)
            {
                int rest = larger - smaller;
                steps.Add($"pair {larger:00}-{smaller:00}={rest:00}\n");
                (larger, smaller) = (Math.Max(rest, smaller), Math.Min(rest, smaller));
            }
            if (larger != smaller || steps.Count > longest) continue;
            return Problem($"{b},{a}", $"gcd({a},{b})=?", larger, steps, b, $"split {a}/{b}={a / b}\n");
        }
    }
}
