using System.Globalization;
using System.Text;

namespace Luffy.Engine.Evaluation;

/// <summary>The figures of an evaluation as a table.</summary>
public static class EvaluationTable
{
    /// <summary>Aligned lines: sources, then means.</summary>
    public static string ToText(IReadOnlyList<SourceResult> sources)
    {
        ArgumentNullException.ThrowIfNull(sources);
        List<(string Title, Func<SourceResult, string> Cell)> columns = [("data source", s => Name(s)), ("problems", s => Number(s.Problems))];
        if (sources.Any(s => s.Greedy is not null)) columns.Add(("greedy", s => Percent(s.Greedy)));
        if (sources.Any(s => s.Samples > 0))
        {
            int[] samples = [.. sources.Where(s => !s.IsMean && s.Samples > 0).Select(s => s.Samples).Distinct()];
            // Where sources are sampled alike the heading says how often, else a column.
            string k = samples.Length == 1 ? Number(samples[0]) : "k";
            if (samples.Length > 1) columns.Add(("k", s => s.IsMean || s.Samples == 0 ? "–" : Number(s.Samples)));
            columns.AddRange([($"avg@{k}", s => Percent(s.AverageAtK)), ($"pass@{k}", s => Percent(s.PassAt is { Count: > 0 } at && (!s.IsMean || samples.Length == 1) ? at[at.Keys.Max()] : null)), ($"maj@{k}", s => Percent(s.MajorityAtK))]);
        }

        columns.AddRange([("accuracy", s => Percent(s.Accuracy)), ("95% interval", s => $"{Percent(s.Interval.Low)} – {Percent(s.Interval.High)}"),
            ("answered", s => Percent(s.Answered)), ("length", s => s.MeanLength.ToString("N1", CultureInfo.InvariantCulture)), ("truncated", s => Percent(s.Truncated))]);
        string[][] rows = [[.. columns.Select(c => c.Title)], .. sources.Select(s => columns.Select(c => c.Cell(s)).ToArray())];
        int[] widths = [.. columns.Select((_, i) => rows.Max(r => r[i].Length))];
        var text = new StringBuilder();
        foreach (string[] row in rows) text.Append(string.Join("  ", row.Select((cell, i) => i == 0 ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i])))).Append('\n');
        return text.ToString();
    }

    private static string Name(SourceResult source) => source.Source switch
    {
        Reporting.FamilyAccuracy.InDistributionMean when source.IsMean => "in distribution mean",
        Reporting.FamilyAccuracy.OutOfDistributionMean when source.IsMean => "out of distribution mean",
        Reporting.FamilyAccuracy.HardMean when source.IsMean => "hard mean",
        var name => name,
    };

    private static string Number(int value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Percent(double? share) => share is { } value ? (100 * value).ToString("0.0", CultureInfo.InvariantCulture) + "%" : "–";
}
