using System.Globalization;
using Luffy.Engine.Configuration;
using Luffy.Engine.Data.Tasks;

namespace Luffy.Engine.Comparison;

/// <summary>The tables of a comparison, as rows of cells with the heading first.</summary>
public static class ComparisonTables
{
    /// <summary>Accuracy in percent by family, and for each category the mean ± half of its 95% interval over seeds.</summary>
    public static IReadOnlyList<string[]> Accuracy(ComparisonResults results)
    {
        TestProblems problems = results.Problems;
        var rows = new List<string[]> { Row("method", "seeds", f => f.Name.Replace('_', ' '), c => $"**{Title(c)}**") };
        rows.Add(Row("before training", "–", f => Percent(TestProblems.Of(f, results.Base.Scores)), c => Percent(problems.Of(c, results.Base.Scores))));
        rows.AddRange(results.Methods.Select(m => Row(m.Name, Whole(m.Runs.Count), f => Percent(m.Over(r => TestProblems.Of(f, r.Scores)).Mean), c => Percent(m.Over(r => problems.Of(c, r.Scores))))));
        return rows;

        string[] Row(string name, string seeds, Func<TestFamily, string> family, Func<TaskCategory, string> mean) =>
            [name, seeds, .. problems.Categories.SelectMany(c => (string[])[.. problems.Families.Where(f => f.Category == c).Select(family), mean(c)])];
    }

    /// <summary>Points of each category's mean above a baseline's, with the interval of the paired bootstrap; empty where there is no other method.</summary>
    public static IReadOnlyList<string[]> Differences(ComparisonResults results, string baseline)
    {
        var rows = new List<string[]> { (string[])["method", "seeds in common", .. results.Problems.Categories.Select(Title)] };
        foreach (MethodResult method in results.Methods.Where(m => m.Name != baseline))
            rows.Add([method.Name, Whole(results.CommonSeeds(method, baseline).Count), .. results.Problems.Categories.Select(c => results.Difference(method, baseline, c) is { } d ? Points(d) : "–")]);
        return rows.Count > 1 ? rows : [];
    }

    /// <summary>What each method cost, a mean over its runs.</summary>
    public static IReadOnlyList<string[]> Cost(ComparisonResults results) =>
    [
        ["method", "learning rate", "steps", "tokens sampled", "tokens trained on", "tokens scored", "model FLOPs", "seconds"],
        .. results.Methods.Select(m => (string[])
        [
            m.Name, ConfigurationWriter.Format(m.LearningRate), Whole(m.Over(r => r.Summary.Steps).Mean), Whole(m.Over(r => r.Summary.SampledTokens).Mean),
            Whole(m.Over(r => r.Summary.TrainedTokens).Mean), Whole(m.Over(r => r.Summary.ScoredTokens).Mean),
            m.Over(r => r.Summary.ModelFlops).Mean.ToString("0.00e+0", CultureInfo.InvariantCulture), Whole(m.Over(r => r.Summary.Seconds).Mean),
        ]),
    ];

    /// <summary>Accuracy in distribution on the validation split for each learning rate, the chosen one in bold; empty where nothing was chosen.</summary>
    public static IReadOnlyList<string[]> Tuning(ComparisonResults results)
    {
        if (results.Tuning.Count == 0) return [];
        return
        [
            ["method", .. results.Tuning[0].Accuracies.Select(a => ConfigurationWriter.Format(a.Rate))],
            .. results.Tuning.Select(t => (string[])[t.Method, .. t.Accuracies.Select(a => a.Rate == t.Chosen ? $"**{Percent(a.Accuracy)}**" : Percent(a.Accuracy))]),
        ];
    }

    /// <summary>The means of each value of an ablated key.</summary>
    public static IReadOnlyList<string[]> Ablation(ComparisonResults results, AblationResult ablation) =>
    [
        [ablation.Ablation.Key, "seeds", .. results.Problems.Categories.Select(Title)],
        .. ablation.Values.Select(v => (string[])[v.Name, Whole(v.Runs.Count), .. results.Problems.Categories.Select(c => Percent(v.Over(r => results.Problems.Of(c, r.Scores))))]),
    ];

    /// <summary>pass@k of one category, in percent; empty where it was not measured.</summary>
    public static IReadOnlyList<string[]> PassAtK(ComparisonResults results, TaskCategory category)
    {
        PassAtKResult[] measured = [.. results.PassAtK.Where(p => p.Category == category)];
        if (measured.Length == 0) return [];
        return
        [
            ["method", "temperature", .. measured[0].PassAt.Select(p => $"pass@{p.K}")],
            .. measured.Select(m => (string[])[m.Method, ConfigurationWriter.Format(m.Temperature), .. m.PassAt.Select(p => Percent(p.Chance))]),
        ];
    }

    /// <summary>Similarity to the demonstrations in percent, by category; empty where there are none.</summary>
    public static IReadOnlyList<string[]> Similarity(ComparisonResults results)
    {
        if (results.Similarity.Count == 0) return [];
        TaskCategory[] categories = [.. results.Problems.Categories.Where(c => results.Similarity[0].ByCategory.ContainsKey(c))];
        return
        [
            ["method", .. categories.Select(Title)],
            .. results.Similarity.Select(s => (string[])[s.Method == ComparisonMethod.Base ? "before training" : s.Method, .. categories.Select(c => Percent(s.ByCategory[c]))]),
        ];
    }

    /// <summary>A category for people.</summary>
    public static string Title(TaskCategory category) => category switch
    {
        TaskCategory.InDistribution => "in distribution",
        TaskCategory.OutOfDistribution => "out of distribution",
        _ => ConfigurationKey.SnakeCase(category.ToString()).Replace('_', ' '),
    };

    private static string Percent(double share) => (100 * share).ToString("0.0", CultureInfo.InvariantCulture);

    private static string Percent(MeanInterval interval) => interval.HalfWidth is { } half ? $"**{Percent(interval.Mean)}** ± {Percent(half)}" : $"**{Percent(interval.Mean)}**";

    private static string Points(DifferenceInterval d) => string.Create(CultureInfo.InvariantCulture, $"{100 * d.Difference:+0.0;−0.0;0.0} [{100 * d.Low:+0.0;−0.0;0.0}, {100 * d.High:+0.0;−0.0;0.0}]");

    private static string Whole(double value) => value.ToString("#,0", CultureInfo.InvariantCulture);
}
