using System.Text.Json;
using Luffy.Engine.Reporting;

namespace Luffy.Engine.Comparison;

/// <summary>A figure of one method over its steps.</summary>
/// <param name="Method">The method.</param>
/// <param name="Steps">The steps at which every seed has the figure.</param>
/// <param name="Mean">Its mean over seeds.</param>
/// <param name="Low">The lowest of the seeds.</param>
/// <param name="High">The highest.</param>
public sealed record Curve(string Method, double[] Steps, double[] Mean, double[] Low, double[] High);

/// <summary>Figures over training, read from what the runs recorded.</summary>
public static class CurveSet
{
    /// <summary>Accuracy in distribution on the validation split, at the steps where it was measured.</summary>
    public static IReadOnlyList<Curve> Validation(ComparisonResults results) => Of(results, run => EvaluationLog.Read<EvaluationRecord>(run.Run.Evaluations)
        .Where(r => r.Split == "validation").ToDictionary(r => r.Step, r => r.Accuracy[FamilyAccuracy.InDistributionMean]));

    /// <summary>A figure of metrics.jsonl, each step the mean of those around it.</summary>
    /// <param name="results">The runs.</param>
    /// <param name="name">The figure's name.</param>
    /// <param name="window">Steps of that mean, an odd number.</param>
    public static IReadOnlyList<Curve> Metric(ComparisonResults results, string name, int window) => Of(results, run => Smooth(Figures(run.Run.Metrics, name), window));

    private static List<Curve> Of(ComparisonResults results, Func<RunResult, Dictionary<int, double>> read)
    {
        var curves = new List<Curve>();
        foreach (MethodResult method in results.Methods)
        {
            Dictionary<int, double>[] runs = [.. method.Runs.Select(read)];
            // A budget of tokens ends runs at different steps.
            int[] steps = [.. runs[0].Keys.Where(step => Array.TrueForAll(runs, r => r.ContainsKey(step))).Order()];
            double[] At(Func<IEnumerable<double>, double> over) => [.. steps.Select(step => over(runs.Select(r => r[step])))];
            if (steps.Length > 0) curves.Add(new Curve(method.Name, [.. steps.Select(s => (double)s)], At(v => v.Average()), At(v => v.Min()), At(v => v.Max())));
        }
        return curves;
    }

    private static Dictionary<int, double> Figures(string path, string name)
    {
        var figures = new Dictionary<int, double>();
        foreach (JsonElement row in EvaluationLog.Read<JsonElement>(path))
            if (row.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number) figures[row.GetProperty("step").GetInt32()] = value.GetDouble();
        return figures;
    }

    private static Dictionary<int, double> Smooth(Dictionary<int, double> figures, int window) =>
        figures.ToDictionary(f => f.Key, f => Enumerable.Range(f.Key - (window / 2), window).Where(figures.ContainsKey).Average(s => figures[s]));
}
