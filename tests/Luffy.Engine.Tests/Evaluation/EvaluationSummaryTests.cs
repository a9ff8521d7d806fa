using Luffy.Engine.Data;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Evaluation;
using Luffy.Engine.Rewards;

namespace Luffy.Engine.Tests.Evaluation;

public sealed class EvaluationSummaryTests
{
    private static PromptExample Row(string id, string source, string text, string answer = "1") => new() { Id = id, Source = source, Messages = [new("user", text)], Answer = answer };

    private static EvaluationProblem Problem(string id, string source) => new(new TokenizedPrompt { Example = Row(id, source, id), PromptIds = [1], Demonstrations = [] }, 1);

    private static GradedCompletion Sample(int item, int sample, bool right, string? answer = "1", int length = 4, bool truncated = false) =>
        new(item, sample, new int[length], "", new RewardResult(right ? 1 : 0, answer), truncated);

    [Test]
    public void Equal_rows_are_one_problem()
    {
        var problems = EvaluationProblem.Distinct([Row("1", "a", "Q"), Row("2", "a", "R"), Row("3", "a", "Q"), Row("4", "b", "Q"), Row("5", "a", "Q", "2"), Row("6", "a", "Q")]);
        Assert.That(problems.Select(p => (p.Example.Id, p.Repeats)), Is.EqualTo(((string, int)[])[("1", 3), ("2", 1), ("4", 1), ("5", 1)]));
    }

    // Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    [TestCase(81, 263, 0.2553, 0.3662)]
    [TestCase(15, 148, 0.0624, 0.1605)]
    [TestCase(0, 20, 0, 0.1611)]
    [TestCase(1, 29, 0.0061, 0.1718)]
    public void Wilsons_interval_is_the_published_one(int right, int problems, double low, double high)
    {
        ConfidenceInterval interval = ConfidenceInterval.Wilson(right, problems);
        Assert.That((interval.Low, interval.High), Is.EqualTo((low, high)).Within(5e-5));
    }

    [Test]
    public void The_bootstrap_is_near_the_normal_interval_and_always_the_same()
    {
        double[] scores = [.. Enumerable.Range(0, 400).Select(i => (i % 4) / 3.0)];
        ConfidenceInterval interval = ConfidenceInterval.Bootstrap([scores]);
        double half = 1.96 * Math.Sqrt(scores.Sum(s => (s - 0.5) * (s - 0.5)) / 400 / 400);
        Assert.That((interval.Low, interval.High), Is.EqualTo((0.5 - half, 0.5 + half)).Within(0.005));
        Assert.That(ConfidenceInterval.Bootstrap([scores]), Is.EqualTo(interval));
        Assert.That(ConfidenceInterval.Bootstrap([new double[6], new double[4]]), Is.EqualTo(ConfidenceInterval.Wilson(0, 10)));
    }

    [TestCase("1/2 0.5 \\frac{1}{2} 3 3", true, Description = "three ways to write the right answer")]
    [TestCase("3 3 1/2", false)]
    [TestCase("3 1/2 0.5 3", false, Description = "a tie, and the wrong one began it")]
    [TestCase("0.5 3 3 1/2", true)]
    [TestCase("- - -", false)]
    [TestCase("- 1/2 -", true)]
    public void Answers_that_are_equal_vote_together(string answers, bool expected)
    {
        GradedCompletion[] samples = [.. answers.Split(' ').Select((a, i) => Sample(0, i, a is "1/2" or "0.5" or "\\frac{1}{2}", a == "-" ? null : a))];
        Assert.That(MajorityVote.IsCorrect(samples), Is.EqualTo(expected));
        Assert.That(MajorityVote.IsCorrect([.. samples.Reverse()]), Is.EqualTo(expected), "the order of arrival does not matter");
    }

    [Test]
    public void Figures_are_of_sources_and_of_means_over_sources()
    {
        EvaluationProblem[] problems = [Problem("1", "aime"), Problem("2", "aime"), Problem("3", "math"), Problem("4", "arc_c")];
        var graded = new List<GradedCompletion>();
        for (int s = 0; s < 4; s++)
        {
            // The first problem is right once in four samples, the second three times.
            graded.Add(Sample(0, s, s == 0, s == 0 ? "1" : "7"));
            graded.Add(Sample(1, s, s < 3, s < 3 ? "1" : null, length: 8, truncated: s == 3));
        }

        foreach (int item in (int[])[0, 1, 2, 3]) graded.Add(Sample(item, -1, item != 3));
        IReadOnlyList<SourceResult> results = EvaluationSummary.Of(problems, graded, BenchmarkSources.CategoryOf);
        Assert.That(results.Select(r => r.Source), Is.EqualTo((string[])["aime", "math", "arc_c", "id_mean", "ood_mean", "mean"]));
        SourceResult aime = results[0];
        Assert.Multiple(() =>
        {
            Assert.That((aime.Category, aime.Problems, aime.Samples, aime.Greedy, aime.AverageAtK, aime.MajorityAtK), Is.EqualTo(((TaskCategory?)TaskCategory.InDistribution, 2, 4, 1.0, 0.5, 0.5)));
            // 1 − C(3, 2)/C(4, 2) = ½ of the first, and 1 of the second, of which no two are wrong.
            Assert.That(aime.PassAt, Is.EqualTo(new Dictionary<int, double> { [1] = 0.5, [2] = 0.75, [4] = 1 }).Within(1e-12));
            Assert.That((aime.MeanLength, aime.Truncated, aime.Answered), Is.EqualTo((5.6, 0.1, 0.9)).Within(1e-12));
            Assert.That((results[1].Samples, results[1].AverageAtK, results[1].Accuracy, results[1].Interval), Is.EqualTo((0, (double?)null, 1.0, ConfidenceInterval.Wilson(1, 1))));
            Assert.That((results[3].IsMean, results[3].Problems, results[3].Accuracy, results[3].Greedy, results[3].AverageAtK), Is.EqualTo((true, 3, 0.75, (double?)1.0, (double?)null)));
            Assert.That((results[4].Accuracy, results[5].Accuracy), Is.EqualTo((0.0, 0.5)));
        });
        string table = EvaluationTable.ToText(results);
        Assert.That(table, Does.Contain("in distribution mean").And.Contain("avg@4").And.Contain("pass@4").And.Contain("50.0%"));
    }

    [Test]
    public void Announced_answers_count_where_they_are_asked_for()
    {
        PromptExample choice = Row("1", "gpqa", "Q", "C"), number = Row("2", "s", "Q", "7") with { AlternativeAnswers = ["8"] };
        var stated = new StatedAnswerReward();
        Assert.That(stated.Score(choice, "Long thoughts.\n\nANSWER: C").Value, Is.EqualTo(1));
        Assert.That(stated.Score(choice, "Long thoughts.\n\nANSWER: D").Value, Is.Zero);
        Assert.That(stated.Score(number, "So it is \\boxed{8}.").Value, Is.EqualTo(1));
        Assert.That(new MathReward().Score(number, "x</think>\\boxed{8}").Value, Is.EqualTo(1));
        Assert.That(new MathReward().Score(number, "x</think>\\boxed{9}").Value, Is.Zero);
        Assert.That(new MathReward().Score(choice, "Long thoughts.\n\nANSWER: C").Value, Is.Zero);
    }
}
