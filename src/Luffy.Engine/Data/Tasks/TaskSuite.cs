namespace Luffy.Engine.Data.Tasks;

/// <summary>The built-in task families and data sets drawn from them.</summary>
public static class TaskSuite
{
    /// <summary>The six families that the quickstart trains on.</summary>
    public static IReadOnlyList<TaskFamily> InDistribution { get; } =
    [
        new AdditionTask(), new SubtractionTask(), new ModularArithmeticTask(), new LinearEquationTask(), new MultiplicationTask(),
        new GreatestCommonDivisorTask(),
    ];

    /// <summary>The three families that are only tested on.</summary>
    public static IReadOnlyList<TaskFamily> OutOfDistribution { get; } =
        [new LongOperandsTask(), new CompositionTask(), new WordProblemTask()];

    /// <summary>Two that the harder suite trains on beside the six.</summary>
    public static IReadOnlyList<TaskFamily> Hard { get; } = [new BaseConversionTask(), new LongMultiplicationTask()];

    /// <summary>Every family.</summary>
    public static IReadOnlyList<TaskFamily> All { get; } = [.. InDistribution, .. OutOfDistribution, .. Hard];

    /// <summary>The family with this name.</summary>
    /// <exception cref="LuffyException">There is none; the message lists the names.</exception>
    public static TaskFamily Family(string name) =>
        All.FirstOrDefault(family => family.Name == name)
        ?? throw LuffyException.Usage($"There is no task family '{name}'; choose from {string.Join(", ", All.Select(f => f.Name))}.");

    /// <summary>What accuracy is measured on: the nine that every run is measured on, and what else is trained on.</summary>
    public static IReadOnlyList<TaskFamily> Measured(IReadOnlyList<string>? trained) =>
        [.. InDistribution, .. OutOfDistribution, .. Hard.Where(f => trained?.Contains(f.Name) == true)];

    /// <summary>What a family of this name is for; other data counts as what a model is trained for.</summary>
    public static TaskCategory CategoryOf(string name) => All.FirstOrDefault(f => f.Name == name)?.Category ?? TaskCategory.InDistribution;

    /// <summary>
    /// Distinct problems of each family in turn (a, b, c, a, b, c, …), so that any run of consecutive prompts is balanced.
    /// </summary>
    /// <param name="families">The families, each contributing <paramref name="countPerFamily"/>.</param>
    /// <param name="split">The split; no problem is in two.</param>
    /// <param name="countPerFamily">Problems per family.</param>
    /// <param name="seed">Which problems; the split does not depend on it.</param>
    /// <param name="level">Difficulty, see <see cref="TaskFamily"/>.</param>
    /// <param name="notation">How the demonstrations are written.</param>
    /// <exception cref="LuffyException">A family has fewer distinct problems in that split.</exception>
    public static IReadOnlyList<PromptExample> Create(
        IEnumerable<TaskFamily> families, DatasetSplit split, int countPerFamily, ulong seed, int level = TaskFamily.StandardLevel,
        TaskNotation notation = TaskNotation.Plain)
    {
        List<IReadOnlyList<TaskProblem>> columns = [.. families.Select(f => Problems(f, split, countPerFamily, seed, level))];
        List<PromptExample> examples = new(columns.Count * countPerFamily);
        for (int i = 0; i < countPerFamily; i++)
            foreach (IReadOnlyList<TaskProblem> column in columns)
                examples.Add(column[i].ToPromptExample(notation));
        return examples;
    }

    /// <summary>Distinct problems of one family and split.</summary>
    /// <exception cref="LuffyException">There are fewer than <paramref name="count"/>.</exception>
    public static IReadOnlyList<TaskProblem> Problems(
        TaskFamily family, DatasetSplit split, int count, ulong seed, int level = TaskFamily.StandardLevel)
    {
        ArgumentNullException.ThrowIfNull(family);
        // Draws that find nothing new say that the family is exhausted; this many in a row leave no reasonable doubt.
        const int patience = 20_000;
        TaskRandom random = new(TaskRandom.Mix(seed, TaskSplit.Hash(family.Name), (ulong)split, (ulong)level));
        HashSet<string> seen = [];
        List<TaskProblem> problems = new(count);
        for (int misses = 0; problems.Count < count;)
        {
            TaskProblem problem = family.Draw(random, split, level);
            if (seen.Add(problem.Key))
            {
                problems.Add(problem);
                misses = 0;
            }
            else if (++misses == patience)
            {
                throw LuffyException.Usage(
                    $"Task family '{family.Name}' has only about {problems.Count} distinct {split} problems at level {level}, but "
                    + $"{count} were asked for; ask for fewer or raise the level.");
            }
        }
        return problems;
    }
}
