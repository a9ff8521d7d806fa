using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Luffy.Engine.Checkpoint;
using Luffy.Engine.Configuration;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Reporting;

namespace Luffy.Engine.Comparison;

/// <summary>Where a comparison was made: for the document that reports it.</summary>
/// <param name="CommandLine">What was typed.</param>
/// <param name="Version">The program's version, with the commit where the build knew it.</param>
/// <param name="Machine">Processor, cores, system and runtime.</param>
/// <param name="Date">The day, in UTC.</param>
public sealed record ComparisonOrigin(string CommandLine, string Version, string Machine, string Date)
{
    /// <summary>This process on this machine.</summary>
    public static ComparisonOrigin Here(string commandLine) => new(commandLine,
        typeof(ComparisonOrigin).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown",
        $"{Processor()}, {Environment.ProcessorCount} cores, {RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}",
        DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));

    // Linux alone says it in a file; elsewhere the architecture must do.
    private static string Processor()
    {
        const string file = "/proc/cpuinfo";
        string? line = File.Exists(file) ? File.ReadLines(file).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line is null ? RuntimeInformation.ProcessArchitecture.ToString() : line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
    }
}

/// <summary>Writes a comparison down: results.md for people, results.json for programs.</summary>
public static class ComparisonDocument
{
    /// <summary>The Markdown text.</summary>
    public static string ToMarkdown(ComparisonResults results, ComparisonPlan plan, ComparisonOrigin origin, IReadOnlyList<(string Title, string File)> plots)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"# Comparison of methods\n\nMade by `{origin.CommandLine}`, luffy {origin.Version}, on {origin.Date}: {origin.Machine}.\n");
        string figure = plan.Options.Measure == ComparisonMeasure.Greedy ? "greedy accuracy" : $"avg@{results.Base.Summary.EvalSamples}";
        Section(text, "Accuracy", $"Percent of the test split's problems, {figure} of the last checkpoint, mean ± 95% interval over seeds (Student's t). Each family counts the same in a mean.",
            ComparisonTables.Accuracy(results));
        foreach (string baseline in results.Baselines)
        {
            Section(text, $"Differences from {baseline}", $"Points above {baseline}'s mean, with the 95% interval of the paired bootstrap over seeds and test problems ({results.BootstrapDraws:#,0} draws).",
                ComparisonTables.Differences(results, baseline));
        }
        Section(text, "What it cost", "Means over runs. Model FLOPs are 2·N a token sampled or scored and 6·N a token trained on, N the model's parameters.", ComparisonTables.Cost(results));
        Section(text, "Learning rates", $"Percent in distribution on the validation split ({figure}), one run each with seed {plan.Options.TuningSeed}, which is none of the reported ones; the best is taken.",
            ComparisonTables.Tuning(results));
        foreach (AblationResult ablation in results.Ablations)
        {
            Section(text, $"Ablation: {ablation.Ablation.Name}", $"{ablation.Ablation.Method} with `{ablation.Ablation.Key}` at several values and all else as above; percent, mean ± 95% interval over seeds.",
                ComparisonTables.Ablation(results, ablation));
        }
        foreach (TaskCategory category in results.Problems.Categories)
        {
            Section(text, $"pass@k against temperature, {ComparisonTables.Title(category)}", "Percent of problems that one of k samples solves, estimated without bias from all samples; the model of each method's first seed.",
                ComparisonTables.PassAtK(results, category));
        }
        Section(text, "Similarity to the demonstrations", "How alike greedy answers and the teacher's are on the test problems: 100 · (1 − token edits / tokens of the longer), a mean over problems and seeds.",
            ComparisonTables.Similarity(results));
        if (plots.Count > 0) text.Append("\n## Over training\n\nEach line is the mean over a method's seeds; the band goes from the lowest to the highest.\n");
        foreach ((string title, string file) in plots) text.Append(CultureInfo.InvariantCulture, $"\n![{title}]({file.Replace('\\', '/')}.png)\n");
        text.Append("\n## Configuration\n\nThe whole configuration of each run is in its `config.yaml`. What was compared:\n\n```yaml\n").Append(plan.Text.TrimEnd()).Append("\n```\n");
        return text.ToString();
    }

    /// <summary>The JSON text: every figure of every run.</summary>
    public static string ToJson(ComparisonResults results, ComparisonPlan plan, ComparisonOrigin origin) => JsonSerializer.Serialize(new
    {
        origin,
        measure = plan.Options.Measure,
        baselines = results.Baselines,
        before_training = Accuracies(results, results.Base),
        methods = results.Methods.Select(m => new
        {
            m.Name,
            m.LearningRate,
            Means = results.Problems.Categories.ToDictionary(FamilyAccuracy.MeanOf, c => Interval(m.Over(r => results.Problems.Of(c, r.Scores)))),
            Differences = results.Baselines.Where(b => b != m.Name).ToDictionary(b => b, b => results.Problems.Categories
                .Select(c => (Name: FamilyAccuracy.MeanOf(c), Interval: results.Difference(m, b, c))).Where(d => d.Interval is not null).ToDictionary(d => d.Name, d => d.Interval)),
            Runs = m.Runs.Select(r => new { r.Seed, Accuracy = Accuracies(results, r), r.Summary }),
        }),
        ablations = results.Ablations.Select(a => new
        {
            a.Ablation.Name, a.Ablation.Method, a.Ablation.Key,
            Values = a.Values.Select(v => new { Value = v.Name, Means = results.Problems.Categories.ToDictionary(FamilyAccuracy.MeanOf, c => Interval(v.Over(r => results.Problems.Of(c, r.Scores)))) }),
        }),
        pass_at_k = results.PassAtK.Select(p => new { p.Method, p.Temperature, p.Category, Chances = p.PassAt.ToDictionary(k => k.K, k => k.Chance) }),
        similarity = results.Similarity.Select(s => new { s.Method, Means = s.ByCategory.ToDictionary(c => FamilyAccuracy.MeanOf(c.Key), c => c.Value) }),
        tuning = results.Tuning.Select(t => new { t.Method, t.Chosen, Grid = t.Accuracies.Select(a => new { LearningRate = a.Rate, a.Accuracy }) }),
    }, JsonLines.Indented) + "\n";

    private static void Section(StringBuilder text, string title, string explanation, IReadOnlyList<string[]> rows)
    {
        if (rows.Count > 0)
            text.Append("\n## ").Append(title).Append("\n\n").Append(explanation).Append("\n\n").Append(MarkdownTable.Of(rows));
    }

    private static object Interval(MeanInterval interval) => new { interval.Mean, interval.HalfWidth };

    private static OrderedDictionary<string, double> Accuracies(ComparisonResults results, RunResult run)
    {
        var values = new OrderedDictionary<string, double>();
        foreach (TestFamily family in results.Problems.Families) values[family.Name] = TestProblems.Of(family, run.Scores);
        foreach (TaskCategory category in results.Problems.Categories) values[FamilyAccuracy.MeanOf(category)] = results.Problems.Of(category, run.Scores);
        return values;
    }
}
