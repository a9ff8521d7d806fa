using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Reporting;

namespace Luffy.Engine.Comparison;

/// <summary>A family or data source of the test split.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Category">Which mean it counts in.</param>
/// <param name="Problems">Places of its problems among all.</param>
public sealed record TestFamily(string Name, TaskCategory Category, IReadOnlyList<int> Problems);

/// <summary>The problems that every run of a comparison was tested on.</summary>
public sealed class TestProblems
{
    private readonly string[] _ids;

    private TestProblems(string[] ids, IReadOnlyList<TestFamily> families) => (_ids, Families) = (ids, families);

    /// <summary>The families, in distribution first.</summary>
    public IReadOnlyList<TestFamily> Families { get; }

    /// <summary>The categories that have families.</summary>
    public IReadOnlyList<TaskCategory> Categories => [.. Families.Select(f => f.Category).Distinct()];

    /// <summary>The problems of a run.</summary>
    public static TestProblems Of(IReadOnlyList<ProblemRecord> records) => new([.. records.Select(r => r.Id)],
        [.. records.Select((r, i) => (r.DataSource, r.Category, Place: i)).GroupBy(r => (r.DataSource, r.Category)).OrderBy(g => g.Key.Category)
            .Select(g => new TestFamily(g.Key.DataSource, g.Key.Category, [.. g.Select(r => r.Place)]))]);

    /// <summary>The score of each problem in a run.</summary>
    /// <param name="records">What the run recorded.</param>
    /// <param name="measure">The figure.</param>
    /// <param name="where">The file, for messages.</param>
    /// <exception cref="LuffyException">The run was tested on other problems, or lacks the figure.</exception>
    public double[] Scores(IReadOnlyList<ProblemRecord> records, ComparisonMeasure measure, string where)
    {
        if (!records.Select(r => r.Id).SequenceEqual(_ids))
            throw new LuffyException($"{where}: these are other problems than the other runs were tested on; take the run's folder away to make it anew.");
        if (measure == ComparisonMeasure.Average && records.Any(r => r.Samples.Length == 0))
            throw LuffyException.Usage($"{where}: measure: average needs samples, and eval_samples was 0; set it above 0, or measure: greedy.");
        return [.. records.Select(r => measure == ComparisonMeasure.Greedy ? (r.Greedy ? 1.0 : 0) : r.Samples.Average(s => s ? 1.0 : 0))];
    }

    /// <summary>The mean of a family.</summary>
    public static double Of(TestFamily family, double[] scores) => family.Problems.Average(i => scores[i]);

    /// <summary>The mean of a category: every family counts the same.</summary>
    public double Of(TaskCategory category, double[] scores) => Families.Where(f => f.Category == category).Average(f => Of(f, scores));
}
