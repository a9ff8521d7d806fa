using Luffy.Engine.Comparison;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Reporting;

namespace Luffy.Engine.Evaluation;

/// <summary>Figures of graded completions by data source, and means over sources.</summary>
public static class EvaluationSummary
{
    /// <summary>Name of the mean over all sources, where they are not all of one category.</summary>
    public const string Mean = "mean";

    /// <summary>The sources in the order in which they first appear, then the means over categories, each source counting the same.</summary>
    /// <param name="problems">The problems.</param>
    /// <param name="graded">Every completion of them.</param>
    /// <param name="categoryOf">Which mean a source is part of.</param>
    public static IReadOnlyList<SourceResult> Of(IReadOnlyList<EvaluationProblem> problems, IReadOnlyList<GradedCompletion> graded, Func<string, TaskCategory?> categoryOf)
    {
        ArgumentNullException.ThrowIfNull(problems);
        ArgumentNullException.ThrowIfNull(categoryOf);
        ILookup<int, GradedCompletion> byItem = graded.ToLookup(g => g.Item);
        var sources = new List<(SourceResult Result, double[] Scores)>();
        foreach (var source in problems.Select((p, i) => (p.Prompt.Example.Source, Item: i)).GroupBy(p => p.Source, p => p.Item))
        {
            GradedCompletion[][] items = [.. source.Select(item => byItem[item].ToArray()).Where(completions => completions.Length > 0)];
            if (items.Length > 0) sources.Add(OfSource(source.Key, categoryOf(source.Key), items));
        }

        var means = new List<SourceResult>();
        foreach (TaskCategory category in Enum.GetValues<TaskCategory>())
            if (sources.FindAll(s => s.Result.Category == category) is { Count: > 0 } members) means.Add(MeanOf(FamilyAccuracy.MeanOf(category), category, members));
        if (means.Count != 1 || means.Sum(m => m.Problems) != sources.Sum(s => s.Result.Problems))
            if (sources.Count > 1) means.Add(MeanOf(Mean, null, sources));
        return [.. sources.Select(s => s.Result), .. means];
    }

    private static (SourceResult, double[]) OfSource(string source, TaskCategory? category, GradedCompletion[][] items)
    {
        GradedCompletion[] all = [.. items.SelectMany(i => i)], greedy = [.. all.Where(g => g.Sample < 0)];
        GradedCompletion[][] sampled = [.. items.Select(i => i.Where(g => g.Sample >= 0).ToArray()).Where(s => s.Length > 0)];
        int k = sampled.Length == 0 ? 0 : sampled.Min(s => s.Length);
        double[] scores = [.. (k > 0 ? sampled : [.. greedy.Select(g => new[] { g })]).Select(s => s.Average(g => Evaluator.IsCorrect(g) ? 1.0 : 0))];
        bool once = k <= 1 && sampled.All(s => s.Length == 1);
        return (new SourceResult
        {
            Source = source,
            Category = category,
            Problems = items.Length,
            Greedy = greedy.Length == 0 ? null : greedy.Average(g => Evaluator.IsCorrect(g) ? 1.0 : 0),
            Samples = k,
            AverageAtK = k == 0 ? null : scores.Average(),
            PassAt = k == 0 ? null : Counts(k).ToDictionary(n => n, n => sampled.Average(s => PassAtKResult.Estimate(s.Length, s.Count(Evaluator.IsCorrect), n))),
            MajorityAtK = k == 0 ? null : sampled.Average(s => MajorityVote.IsCorrect(s) ? 1.0 : 0),
            Accuracy = scores.Average(),
            Interval = once ? ConfidenceInterval.Wilson((int)Math.Round(scores.Sum()), scores.Length) : ConfidenceInterval.Bootstrap([scores]),
            MeanLength = all.Average(g => g.Ids.Length),
            Truncated = all.Average(g => g.Truncated ? 1.0 : 0),
            Answered = all.Average(g => g.Result.Extracted is not null ? 1.0 : 0),
        }, scores);
    }

    private static SourceResult MeanOf(string name, TaskCategory? category, List<(SourceResult Result, double[] Scores)> members)
    {
        SourceResult[] of = [.. members.Select(m => m.Result)];
        return new SourceResult
        {
            Source = name,
            Category = category,
            IsMean = true,
            Problems = of.Sum(s => s.Problems),
            Greedy = of.All(s => s.Greedy is not null) ? of.Average(s => s.Greedy) : null,
            Samples = of.Min(s => s.Samples),
            AverageAtK = of.All(s => s.AverageAtK is not null) ? of.Average(s => s.AverageAtK) : null,
            PassAt = of.All(s => s.PassAt is not null) ? of.Select(s => s.PassAt!.Keys).Aggregate((a, b) => a.Intersect(b)).ToDictionary(k => k, k => of.Average(s => s.PassAt![k])) : null,
            MajorityAtK = of.All(s => s.MajorityAtK is not null) ? of.Average(s => s.MajorityAtK) : null,
            Accuracy = of.Average(s => s.Accuracy),
            Interval = ConfidenceInterval.Bootstrap([.. members.Select(m => m.Scores)]),
            MeanLength = of.Average(s => s.MeanLength),
            Truncated = of.Average(s => s.Truncated),
            Answered = of.Average(s => s.Answered),
        };
    }

    private static IEnumerable<int> Counts(int samples)
    {
        for (int k = 1; k < samples; k *= 2) yield return k;
        yield return samples;
    }
}
