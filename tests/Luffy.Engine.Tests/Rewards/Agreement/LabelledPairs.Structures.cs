using System.Text.RegularExpressions;

namespace Luffy.Engine.Tests.Rewards.Agreement;

internal static partial class LabelledPairs
{
    private static IEnumerable<(string, string, bool)> Formulas(string g, bool unknown)
    {
        yield return ("parentheses", $"\\left({g}\\right)", true);
        yield return ("expanded by three", $"\\frac{{3({g})}}{{3}}", true);
        yield return ("one added and taken away", $"1 + ({g}) - 1", true);
        yield return ("a root added and taken away", $"({g}) + \\sqrt{{7}} - \\sqrt{{28}}/2", true);
        yield return ("twice its half", $"2 \\cdot \\frac{{{g}}}{{2}}", true);
        yield return ("a difference of squares", $"\\frac{{({g})^2 - 4}}{{({g}) + 2}} + 2", true);
        if (unknown) yield return ("another unknown cancelled", $"\\frac{{q \\cdot ({g}) + q}}{{q}} - 1", true);
        yield return ("one more", $"({g}) + 1", false);
        yield return ("its opposite", $"-({g})", false);
        yield return ("twice", $"2({g})", false);
        yield return ("times a root", $"({g})\\sqrt{{2}}", false);
        yield return ("a thousandth more", $"({g}) + 0.001", false);
        if (unknown) yield return ("another unknown", $"({g}) + q", false);
        yield return ("two answers", $"{g}, ({g})+1", false);
    }

    private static IEnumerable<(string, string, bool)> Lists(List<string> items)
    {
        var reversed = Enumerable.Reverse(items).ToList();
        yield return ("reversed", string.Join(", ", reversed), true);
        yield return ("a set", $"\\{{{string.Join(", ", items)}\\}}", true);
        yield return ("words", string.Join(", ", items.SkipLast(1)) + " and " + items[^1], true);
        yield return ("or", string.Join(" \\text{ or } ", reversed), true);
        yield return ("named", string.Join(", ", items.Select(item => "x = " + item)), true);
        bool repeats = items.Distinct().Count() < items.Count;
        if (!repeats) yield return ("one missing", string.Join(", ", items.Skip(1)), false);
        yield return ("one too many", string.Join(", ", items) + ", 987", false);
        yield return ("one changed", string.Join(", ", items.SkipLast(1).Append($"({items[^1]})+1987")), false);
        yield return ("all opposite", string.Join(", ", items.Select(item => $"-({item})-1987")), false);
    }

    private static IEnumerable<(string, string, bool)> Tuples(List<string> entries)
    {
        yield return ("spaces", $"( {string.Join(" , ", entries)} )", true);
        yield return ("left and right", $"\\left({string.Join(",", entries)}\\right)", true);
        yield return ("entries as fractions", $"({string.Join(", ", entries.Select(e => $"\\frac{{2({e})}}{{2}}"))})", true);
        yield return ("named", $"({string.Join(", ", entries.Select((_, i) => "x_" + i))}) = ({string.Join(", ", entries)})", true);
        if (entries[0] != entries[1]) yield return ("two exchanged", $"({string.Join(", ", (string[])[entries[1], entries[0], .. entries.Skip(2)])})", false);
        yield return ("one changed", $"({string.Join(", ", entries.SkipLast(1).Append($"({entries[^1]})+1"))})", false);
        yield return ("one more", $"({string.Join(", ", entries)}, 0)", false);
        yield return ("closed", $"[{string.Join(", ", entries)}]", entries.Count > 2);
    }

    private static IEnumerable<(string, string, bool)> TupleLists(List<string> items)
    {
        yield return ("reversed", string.Join(", ", Enumerable.Reverse(items)), true);
        yield return ("a set", $"\\{{{string.Join(", ", items)}\\}}", true);
        yield return ("and", string.Join(", ", items.SkipLast(1)) + " \\text{ and } " + items[^1], true);
        yield return ("one missing", string.Join(", ", items.SkipLast(1)), items.Distinct().Count() < items.Count);
        yield return ("one too many", string.Join(", ", items) + ", (987, 654)", false);
        yield return ("one changed", string.Join(", ", items.SkipLast(1)) + ", " + Regex.Replace(items[^1], @"\)$", "+1987)"), false);
    }

    private static IEnumerable<(string, string, bool)> Intervals(Match match)
    {
        string open = match.Groups[1].Value, low = match.Groups[2].Value, high = match.Groups[3].Value, close = match.Groups[4].Value;
        yield return ("left and right", $"\\left{open} {low}, {high} \\right{close}", true);
        yield return ("one end opened or closed", $"{(open == "(" ? "[" : "(")}{low}, {high}{close}", low.Contains("infty", StringComparison.Ordinal));
        // A pair and an open interval look alike; both have the entries' order.
        if (!high.Contains("infty", StringComparison.Ordinal))
        {
            yield return ("another end", $"{open}{low}, {high} + 1{close}", false);
            if (!low.Contains("infty", StringComparison.Ordinal)) yield return ("ends as fractions", $"{open}\\frac{{2({low})}}{{2}}, \\frac{{3({high})}}{{3}}{close}", true);
        }

        if (open == "(" && close == ")" && !low.Contains("infty", StringComparison.Ordinal) && !high.Contains("infty", StringComparison.Ordinal)) yield break;
        string left = low.Contains("infty", StringComparison.Ordinal) ? "" : low + (open == "(" ? " < " : " \\le ");
        string right = high.Contains("infty", StringComparison.Ordinal) ? "" : (close == ")" ? " < " : " \\le ") + high;
        yield return ("an inequality", left + "x" + right, true);
        yield return ("a membership", $"x \\in {match.Value}", true);
        yield return ("a wrong inequality", left.Replace("\\le", "<<", StringComparison.Ordinal).Replace(" < ", " \\le ", StringComparison.Ordinal).Replace("<<", "<", StringComparison.Ordinal) + "x" + right, left.Length == 0);
    }

    private static IEnumerable<(string, string, bool)> Unions(string g)
    {
        string[] parts = g.Split("\\cup");
        yield return ("reversed", string.Join(" \\cup ", parts.Reverse()), true);
        yield return ("one missing", parts[0].Trim(), false);
        yield return ("the other missing", parts[^1].Trim(), false);
        if (!g.Contains("infty", StringComparison.Ordinal)) yield return ("one more", g + " \\cup (987, 988)", false);
        yield return ("an intersection", string.Join(" \\cap ", parts), false);
    }

    private static IEnumerable<(string, string, bool)> Inequalities(string g)
    {
        if (Regex.Match(g, @"^([a-z])\s*(\\(?:leqslant|geqslant|leq|geq|le|ge)|<|>)\s*(-?\d+)$") is not { Success: true } match) yield break;
        string name = match.Groups[1].Value, bound = match.Groups[3].Value;
        bool above = match.Groups[2].Value is ">" || match.Groups[2].Value.Contains("ge", StringComparison.Ordinal), strict = match.Groups[2].Value is "<" or ">";
        yield return ("turned", $"{bound} {(above ? "<" : ">")}{(strict ? "" : "=")} {name}", true);
        yield return ("an interval", above ? $"{(strict ? "(" : "[")}{bound}, \\infty)" : $"(-\\infty, {bound}{(strict ? ")" : "]")}", true);
        yield return ("the other way", $"{name} {(above ? "\\le" : "\\ge")} {bound}", false);
        yield return ("the end in or out", $"{name} {(above ? ">" : "<")}{(strict ? "=" : "")} {bound}", false);
        yield return ("another end", $"{g} + 1", false);
    }

    private static IEnumerable<(string, string, bool)> PlusMinus(string g)
    {
        if (g.StartsWith("\\{", StringComparison.Ordinal)) yield break;
        string plus = g.Replace("\\pm", "+", StringComparison.Ordinal), minus = g.Replace("\\pm", "-", StringComparison.Ordinal);
        yield return ("both", $"{plus}, {minus}", true);
        yield return ("a set", $"\\{{{minus}, {plus}\\}}", true);
        yield return ("only plus", plus, false);
        yield return ("only minus", minus, false);
    }

    private static IEnumerable<(string, string, bool)> Equations(string g)
    {
        int sign = g.IndexOf('=', StringComparison.Ordinal);
        string left = g[..sign].Trim(), right = g[(sign + 1)..].Trim();
        bool name = Regex.IsMatch(left, @"^[a-zA-Z](?:_\{?[^{}]+\}?)?$|^[a-zA-Z]\([a-z]\)$");
        yield return ("spaces", $"{left}  =  {right}", true);
        if (name && right.Length > 0)
        {
            yield return ("the value", right, true);
            yield return ("the value rearranged", $"{left} = 2 + ({right}) - 2", true);
            yield return ("another value", $"{left} = ({right}) + 1", false);
            yield return ("its opposite", $"-({right})", right == "0");
        }
        else
        {
            yield return ("sides exchanged", $"{right} = {left}", true);
            yield return ("all on one side", $"{left} - ({right}) = 0", true);
            yield return ("tripled", $"3({left}) = 3({right})", true);
            yield return ("another side", $"{left} = {right} + 1", false);
            yield return ("no equation", left, false);
        }
    }

    private static IEnumerable<(string, string, bool)> Matrices(string g)
    {
        yield return ("brackets", g.Replace("pmatrix", "bmatrix", StringComparison.Ordinal), true);
        yield return ("spaces", g.Replace("\\\\", " \\\\ ", StringComparison.Ordinal), true);
        yield return ("an entry changed", Regex.Replace(g, @"(-?\d+)(?=\s*\\end)", "1987$1"), false);
        if (!g.Contains('&', StringComparison.Ordinal))
        {
            yield return ("a row", g.Replace("\\\\", "&", StringComparison.Ordinal), false);
            string entries = Regex.Match(g, @"\}(.*)\\end").Groups[1].Value;
            yield return ("a tuple", $"({entries.Replace("\\\\", ",", StringComparison.Ordinal)})", true);
            yield return ("a row missing", Regex.Replace(g, @"\\\\[^\\]*(?=\\end)", ""), false);
        }
    }

    private static IEnumerable<(string, string, bool)> Words(string word)
    {
        yield return ("bare", word, true);
        yield return ("upper case", word.ToUpperInvariant(), true);
        yield return ("bold", $"\\textbf{{{word}}}", true);
        yield return ("another word", "not " + word, false);
        yield return ("reversed", new string([.. word.Reverse()]), word.SequenceEqual(word.Reverse()));
    }

    private static IEnumerable<(string, string, bool)> Choices(char letter)
    {
        yield return ("bare", letter.ToString(), true);
        yield return ("parentheses", $"({letter})", true);
        yield return ("text", $"\\text{{{letter}}}", true);
        yield return ("a full stop", letter + ".", true);
        yield return ("its words", $"{letter}. the one above", true);
        foreach (char other in "ABCDE".Where(other => other != letter)) yield return ("another", $"\\text{{({other})}}", false);
    }

    private static IEnumerable<(string, string, bool)> UnitsOf(string g)
    {
        int text = g.IndexOf("\\text", StringComparison.Ordinal) is >= 0 and var found ? found : g.IndexOf("\\mbox", StringComparison.Ordinal);
        string number = g[..text].Trim();
        if (number.Length == 0 || SplitAtCommas(g).Count > 1) yield break;
        yield return ("without the unit", number, true);
        yield return ("another spelling", g.Replace("\\mbox", "\\text", StringComparison.Ordinal).Replace("\\text{", "\\mathrm{", StringComparison.Ordinal), true);
        yield return ("another number", $"{number} + 1", false);
        yield return ("another unit", $"{number} \\text{{ parsecs}}", false);
    }
}
