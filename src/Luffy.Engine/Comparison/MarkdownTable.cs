using System.Text;

namespace Luffy.Engine.Comparison;

/// <summary>A table of Markdown whose columns are aligned as text too.</summary>
public static class MarkdownTable
{
    /// <summary>The table.</summary>
    /// <param name="rows">The heading, then the rows; all of the same length. The first column is aligned to the left, the others to the right.</param>
    public static string Of(IReadOnlyList<string[]> rows)
    {
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(i => Math.Max(4, rows.Max(r => r[i].Length)))];
        var text = new StringBuilder();
        for (int r = 0; r < rows.Count; r++)
        {
            text.Append('|');
            for (int i = 0; i < widths.Length; i++)
                text.Append(' ').Append(i == 0 ? rows[r][i].PadRight(widths[i]) : rows[r][i].PadLeft(widths[i])).Append(" |");
            text.Append('\n');
            if (r > 0) continue;
            text.Append('|');
            for (int i = 0; i < widths.Length; i++) text.Append(i == 0 ? ' ' + new string('-', widths[i]) + " |" : ' ' + new string('-', widths[i] - 1) + ": |");
            text.Append('\n');
        }
        return text.ToString();
    }
}
