namespace Luffy.Engine.Data.Tasks;

/// <summary>A family of generated problems with exact answers and a teacher that works them out.</summary>
public abstract class TaskFamily
{
    /// <summary>The lowest difficulty level.</summary>
    public const int MinimumLevel = 1;

    /// <summary>The level that the base model was taught and the quickstart uses.</summary>
    public const int StandardLevel = 2;

    /// <summary>The highest difficulty level.</summary>
    public const int MaximumLevel = 3;

    /// <summary>The name in configuration files and tables, for example <c>addition</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Whether it is trained on or only tested on.</summary>
    public virtual TaskCategory Category => TaskCategory.InDistribution;

    /// <summary>The word with which a hasty answer gives up the work; each family has its own so that unlearning one leaves the others.</summary>
    protected abstract string HastyWord { get; }

    /// <summary>Draws one problem at a difficulty level, from any split.</summary>
    /// <param name="random">Where the operands come from.</param>
    /// <param name="level"><see cref="MinimumLevel"/> to <see cref="MaximumLevel"/>; each family says what a level means.</param>
    public TaskProblem Draw(TaskRandom random, int level = StandardLevel)
    {
        ArgumentNullException.ThrowIfNull(random);
        if (level is < MinimumLevel or > MaximumLevel)
            throw LuffyException.Usage($"Task difficulty level {level} does not exist; choose {MinimumLevel} to {MaximumLevel}.");
        return Generate(random, level);
    }

    /// <summary>Draws one problem of one split: draws until the key falls there (about 1, 10 or 10 tries).</summary>
    public TaskProblem Draw(TaskRandom random, DatasetSplit split, int level = StandardLevel)
    {
        while (true)
        {
            TaskProblem problem = Draw(random, level);
            if (TaskSplit.Of(problem.Key) == split) return problem;
        }
    }

    /// <summary>Draws operands and works the problem out.</summary>
    protected abstract TaskProblem Generate(TaskRandom random, int level);

    /// <summary>Puts a problem together; the key is the family's name and the numbers that identify it.</summary>
    /// <param name="identity">The numbers that identify it.</param>
    /// <param name="question">The user's message.</param>
    /// <param name="answer">The right answer.</param>
    /// <param name="steps">The worked lines.</param>
    /// <param name="hastyAnswer">An answer that is never right.</param>
    /// <param name="wrongLine">A line of another family's work that leads astray; null where the family has none.</param>
    protected TaskProblem Problem(string identity, string question, long answer, IReadOnlyList<string> steps, long hastyAnswer, string? wrongLine = null)
    {
        if (hastyAnswer == answer) throw new InvalidOperationException($"The hasty answer to {Name} '{question}' is right.");
        return new TaskProblem
        {
            Family = Name,
            Key = $"{Name}:{identity}",
            Question = question,
            Answer = $"{answer}",
            Steps = steps,
            HastyAnswer = $"{hastyAnswer}",
            HastyWord = HastyWord,
            WrongLine = wrongLine,
        };
    }

    /// <summary>A number with exactly this many decimal digits.</summary>
    protected static int Digits(TaskRandom random, int digits) => random.Next(PowerOfTen(digits - 1), PowerOfTen(digits) - 1);

    /// <summary>Two numbers as an identity that does not depend on their order.</summary>
    protected static string Unordered(long a, long b) => a <= b ? $"{a},{b}" : $"{b},{a}";

    private static int PowerOfTen(int exponent) => (int)Math.Pow(10, exponent);
}
