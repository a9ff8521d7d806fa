using System.Globalization;
using System.Text;
using Luffy.Engine.Data.Tasks;
using Spectre.Console;

namespace Luffy.Engine.Reporting;

/// <summary>Accuracy by family, before → after, with the means over each category of families.</summary>
public static class AccuracyTable
{
    /// <summary>The table for a terminal.</summary>
    public static Table ToSpectre(IReadOnlyList<FamilyAccuracy>? before, IReadOnlyList<FamilyAccuracy> after)
    {
        string[][] rows = Rows(before, after);
        var table = new Table().Border(TableBorder.Rounded);
        for (int i = 0; i < rows[0].Length; i++)
            table.AddColumn(new TableColumn(Markup.Escape(rows[0][i])) { Alignment = i == 0 ? Justify.Left : Justify.Right, NoWrap = true });
        foreach (string[] row in rows[1..])
        {
            bool mean = row[0].EndsWith(MeanSuffix, StringComparison.Ordinal);
            table.AddRow(row.Select(cell => new Markup(mean ? $"[bold]{Markup.Escape(cell)}[/]" : Markup.Escape(cell))).ToArray());
        }
        return table;
    }

    /// <summary>The table as aligned lines.</summary>
    public static string ToText(IReadOnlyList<FamilyAccuracy>? before, IReadOnlyList<FamilyAccuracy> after)
    {
        string[][] rows = Rows(before, after);
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(i => rows.Max(r => r[i].Length))];
        var text = new StringBuilder();
        foreach (string[] row in rows)
        {
            for (int i = 0; i < row.Length; i++)
                text.Append(i == 0 ? row[i].PadRight(widths[i]) : "  " + row[i].PadLeft(widths[i]));
            text.Append('\n');
        }
        return text.ToString();
    }

    private const string MeanSuffix = " mean";

    private static readonly (TaskCategory Category, string Title)[] Categories =
        [(TaskCategory.InDistribution, "in distribution"), (TaskCategory.OutOfDistribution, "out of distribution"), (TaskCategory.Hard, "hard")];

    /// <summary>The heading and the rows, as cells.</summary>
    private static string[][] Rows(IReadOnlyList<FamilyAccuracy>? before, IReadOnlyList<FamilyAccuracy> after)
    {
        int samples = after.Count > 0 ? after.Max(f => f.Samples) : 0;
        List<(string Title, Func<FamilyAccuracy, double> Figure)> figures = [("greedy", f => f.Greedy)];
        if (samples > 0)
        {
            figures.Add(($"avg@{samples}", f => f.AverageAtK));
            // Before → after is about one figure a column; a single measurement has room for all.
            if (before is null)
                figures.AddRange([($"pass@{samples}", f => f.PassAtK), ($"maj@{samples}", f => f.MajorityAtK)]);
        }
        var rows = new List<string[]> { (string[])["family", .. figures.Select(f => f.Title)] };
        rows.AddRange(after.Select(f => Row(f.Family, before, after, figures, x => x.Family == f.Family)));
        foreach ((TaskCategory category, string title) in Categories)
        {
            if (after.Any(f => f.Category == category))
                rows.Add(Row(title + MeanSuffix, before, after, figures, x => x.Category == category));
        }
        return [.. rows];
    }

    private static string[] Row(string name, IReadOnlyList<FamilyAccuracy>? before, IReadOnlyList<FamilyAccuracy> after,
        List<(string Title, Func<FamilyAccuracy, double> Figure)> figures, Func<FamilyAccuracy, bool> counted)
    {
        string Percent(IReadOnlyList<FamilyAccuracy> from, Func<FamilyAccuracy, double> figure)
        {
            double[] values = [.. from.Where(counted).Select(figure)];
            return values.Length == 0 ? "–" : (100 * values.Average()).ToString("0.0", CultureInfo.InvariantCulture) + "%";
        }

        return [name, .. figures.Select(f => before is null ? Percent(after, f.Figure) : $"{Percent(before, f.Figure)} → {Percent(after, f.Figure)}")];
    }
}
