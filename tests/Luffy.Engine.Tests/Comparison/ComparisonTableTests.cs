using Luffy.Engine.Comparison;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Reporting;

namespace Luffy.Engine.Tests.Comparison;

public sealed class ComparisonTableTests
{
    private static readonly ProblemRecord[] Problems =
    [
        Problem("a1", "addition", TaskCategory.InDistribution), Problem("w1", "word_problem", TaskCategory.OutOfDistribution), Problem("a2", "addition", TaskCategory.InDistribution),
        Problem("g1", "gcd", TaskCategory.InDistribution), Problem("h1", "base_conversion", TaskCategory.Hard),
    ];

    private static ProblemRecord Problem(string id, string source, TaskCategory category, bool greedy = false, params bool[] samples) =>
        new() { Id = id, DataSource = source, Category = category, Greedy = greedy, Samples = samples, Ids = [1, 2], Text = "" };

    private static RunResult Run(long seed, params double[] scores) => new(seed, new RunSummary
    {
        Method = "luffy", Seed = seed, Steps = 100, Seconds = 12.4, Tokens = 3000, SampledTokens = 1000, TrainedTokens = 2000, ScoredTokens = 0, ModelFlops = 1.5e12, PeakMemoryBytes = 1, PlannedMemoryBytes = 1,
    }, scores, new RunDirectory("none"));

    private static ComparisonResults Results => new()
    {
        Problems = TestProblems.Of(Problems), Base = Run(1, 0, 0, 0, 0, 0), Baselines = ["luffy"], BootstrapDraws = 100,
        Methods = [new MethodResult("grpo", 5e-5, [Run(1, 1, 0, 0, 0, 0), Run(2, 1, 0, 1, 0, 0)]), new MethodResult("luffy", 1e-4, [Run(1, 1, 1, 1, 1, 0), Run(2, 1, 1, 1, 1, 1), Run(3, 1, 1, 1, 0, 1)])],
        Ablations = [], Tuning = [new TuningResult("grpo", [(5e-5, 0.25), (1e-4, 0.125)], 5e-5), new TuningResult("luffy", [(5e-5, 0.5), (1e-4, 0.75)], 1e-4)],
    };

    [Test]
    public void Accuracy_has_families_by_category_with_the_mean_after_each()
    {
        // grpo: addition 50 and 100, gcd 0, so in distribution 25 and 50: 37.5 ± 12.706 · 17.678 / √2 = 158.8.
        // luffy: in distribution 100, 100 and 50: 83.3 ± 4.3027 · 28.868 / √3 = 71.7; hard 0, 100, 100: 66.7 ± 4.3027 · 57.735 / √3 = 143.4.
        Assert.That(MarkdownTable.Of(ComparisonTables.Accuracy(Results)), Is.EqualTo("""
            | method          | seeds | addition |  gcd | **in distribution** | word problem | **out of distribution** | base conversion |         **hard** |
            | --------------- | ----: | -------: | ---: | ------------------: | -----------: | ----------------------: | --------------: | ---------------: |
            | before training |     – |      0.0 |  0.0 |                 0.0 |          0.0 |                     0.0 |             0.0 |              0.0 |
            | grpo            |     2 |     75.0 |  0.0 |    **37.5** ± 158.8 |          0.0 |           **0.0** ± 0.0 |             0.0 |    **0.0** ± 0.0 |
            | luffy           |     3 |    100.0 | 66.7 |     **83.3** ± 71.7 |        100.0 |         **100.0** ± 0.0 |            66.7 | **66.7** ± 143.4 |

            """));
    }

    [Test]
    public void Differences_are_over_the_seeds_in_common()
    {
        IReadOnlyList<string[]> rows = ComparisonTables.Differences(Results, "luffy");
        Assert.That(rows[0], Is.EqualTo(new[] { "method", "seeds in common", "in distribution", "out of distribution", "hard" }));
        // Seeds 1 and 2. Addition: 0 and −1, then 0 and 0; gcd: −1 and −1. Out of distribution every draw is −1; hard: 0 and −1 by seed.
        Assert.That(rows[1][..2], Is.EqualTo(new[] { "grpo", "2" }));
        Assert.That(rows[1][2], Does.StartWith("−62.5 [−100.0, "));
        Assert.That(rows[1][3..], Is.EqualTo(new[] { "−100.0 [−100.0, −100.0]", "−50.0 [−100.0, 0.0]" }));
        Assert.That(rows, Has.Count.EqualTo(2));
        Assert.That(ComparisonTables.Differences(Results, "grpo")[1][3..], Is.EqualTo(new[] { "+100.0 [+100.0, +100.0]", "+50.0 [0.0, +100.0]" }), "the other way round");
    }

    [Test]
    public void Cost_and_the_grid_of_learning_rates_are_told()
    {
        Assert.That(ComparisonTables.Cost(Results)[2], Is.EqualTo(new[] { "luffy", "0.0001", "100", "1,000", "2,000", "0", "1.50e+12", "12" }));
        Assert.That(ComparisonTables.Tuning(Results), Is.EqualTo(new string[][] { ["method", "5e-05", "0.0001"], ["grpo", "**25.0**", "12.5"], ["luffy", "50.0", "**75.0**"] }));
    }

    [Test]
    public void Scores_are_of_the_same_problems_and_of_the_figure_asked_for()
    {
        TestProblems problems = TestProblems.Of(Problems);
        ProblemRecord[] records = [.. Problems.Select(p => p with { Greedy = p.Id == "a1", Samples = [true, p.Id == "g1"] })];
        Assert.That(problems.Scores(records, ComparisonMeasure.Greedy, "file"), Is.EqualTo(new[] { 1, 0, 0, 0, 0.0 }));
        Assert.That(problems.Scores(records, ComparisonMeasure.Average, "file"), Is.EqualTo(new[] { 0.5, 0.5, 0.5, 1, 0.5 }));
        Assert.That(() => problems.Scores(Problems, ComparisonMeasure.Average, "file"), Throws.TypeOf<LuffyException>().With.Message.Contains("eval_samples"));
        Assert.That(() => problems.Scores(records[1..], ComparisonMeasure.Greedy, "file"), Throws.TypeOf<LuffyException>().With.Message.Contains("other problems"));
    }
}
