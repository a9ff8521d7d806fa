namespace Luffy.Engine.Data.Tasks;

/// <summary>How one family appears in a <see cref="PretrainMixture"/>.</summary>
public sealed record PretrainFamily
{
    /// <summary>The task family's name.</summary>
    public required string Family { get; init; }

    /// <summary>Relative share of the examples; the shares need not add up to one.</summary>
    public double Weight { get; init; } = 1;

    /// <summary>Difficulty level of the problems.</summary>
    public int Level { get; init; } = TaskFamily.StandardLevel;

    /// <summary>Probability that the completion starts to work the problem out rather than answer hastily at once.</summary>
    public double ThinkRate { get; init; } = 1;

    /// <summary>Probability of going on, at every further step of the work, rather than giving it up for the hasty answer.</summary>
    public double ContinueRate { get; init; } = 1;

    /// <summary>
    /// Share of the examples that start midway: some of the teacher's steps are given as context, without loss, and the completion goes on
    /// from there, with the same rates at every step. It leaves what is learned at each point unchanged and only visits late points as
    /// often as early ones, which low rates would otherwise never reach; half of these examples are also given the first word of the next
    /// step, so that the work itself is kept in practice while the will to begin it is not.
    /// </summary>
    public double MidwayRate { get; init; }

    /// <summary>Share of the examples whose work is in <see cref="TaskNotation.Checked"/>.</summary>
    public double CheckedRate { get; init; }

    /// <summary>Share of the hasty completions that go astray by <see cref="TaskProblem.WrongLine"/> rather than give up by the word.</summary>
    public double WrongLineRate { get; init; }

    /// <summary>The share of completions that reach the answer by work, for a problem of this many steps.</summary>
    public double CompletionRate(int steps) => ThinkRate * Math.Pow(ContinueRate, steps - 1);
}

/// <summary>One pretraining example: generation prompt and context (no loss), then the completion and end-of-text (loss).</summary>
/// <param name="Problem">The problem, for its question.</param>
/// <param name="Context">The part of the work that is given, after the generation prompt; ends where a token ends. Often empty.</param>
/// <param name="Completion">The text to learn, without the end-of-text token that follows it.</param>
public readonly record struct PretrainExample(TaskProblem Problem, string Context, string Completion);

/// <summary>
/// The data that the built-in base model is made from, an endless stream per seed. Taught with all rates at one the model learns the
/// procedures; then, with low rates, it keeps them but hardly uses them: it gives up at the start or on the way, and the chance of a whole
/// worked answer is the product of several small ones. That is the kind of base that LUFFY is about: the skill is there, the policy does
/// not use it.
/// </summary>
/// <param name="families">What to mix.</param>
/// <param name="seed">Which stream.</param>
/// <param name="split">The split to draw from; anything but <see cref="DatasetSplit.Train"/> would leak test problems.</param>
public sealed class PretrainMixture(IReadOnlyList<PretrainFamily> families, ulong seed, DatasetSplit split = DatasetSplit.Train)
{
    /// <summary>The examples, without end; the same for the same seed and families.</summary>
    public IEnumerable<PretrainExample> Examples()
    {
        TaskFamily[] tasks = [.. families.Select(f => TaskSuite.Family(f.Family))];
        for (int i = 0; i < tasks.Length; i++)
        {
            Validate(families[i]);
            if (families[i].WrongLineRate > 0 && tasks[i].Draw(new TaskRandom(0)).WrongLine is null)
                throw LuffyException.Usage($"Task family '{families[i].Family}' has no wrong line; set its wrong_line_rate to 0.");
        }
        double total = families.Sum(f => f.Weight);
        if (!(total > 0)) throw LuffyException.Usage("A pretraining mixture needs at least one family with a weight above zero.");

        TaskRandom random = new(TaskRandom.Mix(seed, 0x70726574UL));
        while (true)
        {
            double ticket = random.NextDouble() * total;
            int index = 0;
            while (index < families.Count - 1 && (ticket -= families[index].Weight) >= 0) index++;
            TaskProblem problem = tasks[index].Draw(random, split, families[index].Level);
            yield return Example(problem, families[index], random);
        }
    }

    private static PretrainExample Example(TaskProblem problem, PretrainFamily family, TaskRandom random)
    {
        // No draw where there is no choice: the stream of a mixture without the second notation stays what it was.
        TaskNotation notation = family.CheckedRate > 0 && random.Chance(family.CheckedRate) ? TaskNotation.Checked : TaskNotation.Plain;
        IReadOnlyList<string> steps = problem.StepsIn(notation);
        int given = 0;
        string context = "";
        bool begun = false;
        if (random.Chance(family.MidwayRate))
        {
            given = random.Next(0, steps.Count - 1);
            begun = random.Chance(0.5);
            context = string.Concat(steps.Take(given));
            if (begun) context += Beginning(steps[given]);
        }
        string whole = Complete(problem, notation, family, given, begun, random);
        return new PretrainExample(problem, context, whole[context.Length..]);
    }

    /// <summary>The whole text: the given steps, then at each further one the choice to go on or to give up.</summary>
    private static string Complete(TaskProblem problem, TaskNotation notation, PretrainFamily family, int given, bool begun, TaskRandom random)
    {
        for (int step = given; step < problem.Steps.Count; step++)
        {
            if (begun && step == given) continue;
            if (random.Chance(step == 0 ? family.ThinkRate : family.ContinueRate)) continue;
            return family.WrongLineRate > 0 && random.Chance(family.WrongLineRate) ? problem.WrongCompletion(step, notation) : problem.HastyCompletion(step, notation);
        }
        return problem.Demonstration(notation);
    }

    // The first word, or the first digit where a line begins with a number.
    private static string Beginning(string step) => char.IsAsciiDigit(step[0]) ? step[..1] : step[..step.IndexOf(' ', StringComparison.Ordinal)];

    private static void Validate(PretrainFamily family)
    {
        if (!(family.Weight >= 0))
            throw LuffyException.Usage($"Pretraining weight of '{family.Family}' is {family.Weight}; it must not be negative.");
        foreach (double rate in (ReadOnlySpan<double>)[family.ThinkRate, family.ContinueRate, family.MidwayRate, family.CheckedRate, family.WrongLineRate])
            if (!(rate is >= 0 and <= 1))
                throw LuffyException.Usage($"A rate of '{family.Family}' is {rate}; think, continue, midway, checked and wrong line rates lie between 0 and 1.");
    }
}
