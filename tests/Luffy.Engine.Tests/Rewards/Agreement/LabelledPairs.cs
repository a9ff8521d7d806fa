using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;

namespace Luffy.Engine.Tests.Rewards.Agreement;

/// <summary>
/// Makes labelled pairs of gold answers: variations of writing, which keep the meaning, and near misses, which do not. The label follows from
/// how the variation is made. Nothing of the verifier is used.
/// </summary>
internal static partial class LabelledPairs
{
    /// <summary>The variations of one gold answer; none where its kind is not known here.</summary>
    public static IEnumerable<LabelledPair> Of(string gold)
    {
        string bare = gold.Replace("\\quad", "", StringComparison.Ordinal).Trim().TrimEnd('.').Trim();
        if (bare.StartsWith('$') && bare.EndsWith('$') && bare.IndexOf('$', 1) == bare.Length - 1) bare = bare[1..^1].Trim();
        // What is no answer by itself: several formulas in prose, words as an index, a letter before an interval.
        if (bare.Length == 0 || bare.Contains('$', StringComparison.Ordinal) || bare.Contains("_{\\text", StringComparison.Ordinal) || OddInterval().IsMatch(bare)) return [];
        var (kind, variations) = Variations(bare);
        return variations.Where(v => v.Answer != gold).Select(v => new LabelledPair(kind, gold, v.Answer, v.Equal, v.Name));
    }

    private static (string Kind, IEnumerable<(string Name, string Answer, bool Equal)> Variations) Variations(string g)
    {
        if (Integer().IsMatch(g)) return ("integer", Integers(g));
        // A group that begins with a zero is no number of a list.
        if (GroupedInteger().IsMatch(g)) return ("grouped integer", Integers(g.Replace(",", "", StringComparison.Ordinal)));
        if (Decimal().IsMatch(g)) return ("decimal", Decimals(g));
        if (Scientific().Match(g) is { Success: true } power) return ("power of ten", PowersOfTen(power.Groups[1].Value, int.Parse(power.Groups[2].Value, CultureInfo.InvariantCulture)));
        if (Fraction().Match(g) is { Success: true } fraction) return ("fraction", Fractions(fraction));
        if (Degrees().Match(g) is { Success: true } angle) return ("degrees", DegreesOf(angle.Groups[1].Value));
        if (Choice().Match(g) is { Success: true } choice) return ("choice", Choices(choice.Groups[1].Value[0]));
        if (Word().Match(g) is { Success: true } word) return ("words", Words(word.Groups[1].Value));
        if (Based().Match(g) is { Success: true } based) return ("base", Bases(based.Groups[1].Value, based.Groups[2].Value));
        if (g.Contains("matrix}", StringComparison.Ordinal)) return ("matrix", Matrices(g));
        if (g.Contains("\\in", StringComparison.Ordinal) && !g.Contains("\\infty", StringComparison.Ordinal)) return ("membership", []);
        if (g.Contains("\\text", StringComparison.Ordinal) || g.Contains("\\mbox", StringComparison.Ordinal)) return ("units", UnitsOf(g));
        if (g.Contains("\\cup", StringComparison.Ordinal)) return ("union", Unions(g));
        if (Interval().Match(g) is { Success: true } interval) return ("interval", Intervals(interval));
        if (Inequality().IsMatch(g)) return ("inequality", Inequalities(g));
        var items = SplitAtCommas(g);
        if (items.Count > 1) return items.Any(i => i.StartsWith('(')) ? ("list of tuples", TupleLists(items)) : items.Any(i => i.Contains('=', StringComparison.Ordinal)) ? ("list of equations", []) : ("list", Lists(items));
        if (g.Contains("\\pm", StringComparison.Ordinal)) return ("plus-minus", PlusMinus(g));
        if (Inner(g) is { } inner && SplitAtCommas(inner) is { Count: > 1 } entries) return ("tuple", Tuples(entries));
        if (g.Contains('=', StringComparison.Ordinal)) return ("equation", g.Count(c => c == '=') == 1 ? Equations(g) : []);
        if (g.Contains('%', StringComparison.Ordinal)) return ("percent", Percents(g));
        bool unknown = Unknown().IsMatch(g);
        return (unknown ? "function" : g.Contains('i', StringComparison.Ordinal) && Complex().IsMatch(g) ? "complex" : "constant", Formulas(g, unknown));
    }

    /// <summary>The items between commas that are in no brackets.</summary>
    private static List<string> SplitAtCommas(string text)
    {
        var items = new List<string>();
        int depth = 0, start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] is '(' or '[' or '{') depth++;
            else if (text[i] is ')' or ']' or '}') depth--;
            else if (text[i] == ',' && depth == 0 && !text[(i + 1)..].StartsWith("\\!", StringComparison.Ordinal))
            {
                items.Add(text[start..i].Trim());
                start = i + 1;
            }
        }

        items.Add(text[start..].Trim());
        return items;
    }

    // What is between the parentheses around all of a text.
    private static string? Inner(string text)
    {
        text = text.Replace("\\left", "", StringComparison.Ordinal).Replace("\\right", "", StringComparison.Ordinal).Trim();
        if (!text.StartsWith('(') || !text.EndsWith(')')) return null;
        int depth = 0;
        for (int i = 0; i < text.Length - 1; i++)
        {
            if (text[i] == '(') depth++;
            else if (text[i] == ')' && --depth == 0) return null;
        }

        return text[1..^1].Trim();
    }

    private static string Scaled(BigInteger value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Grouped(string digits, string separator)
    {
        string sign = digits[0] == '-' ? "-" : "";
        digits = digits[sign.Length..];
        for (int i = digits.Length - 3; i > 0; i -= 3) digits = digits.Insert(i, separator);
        return sign + digits;
    }

    [GeneratedRegex(@"^-?\d+$")]
    private static partial Regex Integer();

    [GeneratedRegex(@"^-?[1-9]\d{0,2}(?=.*,0)(?:,\d{3})+$")]
    private static partial Regex GroupedInteger();

    [GeneratedRegex(@"^-?\d*\.\d+$")]
    private static partial Regex Decimal();

    [GeneratedRegex(@"^(-?\d+(?:\.\d+)?)e(-?\d+)$")]
    private static partial Regex Scientific();

    [GeneratedRegex(@"^(-?)\s*\\[dt]?frac\s*(?:\{(-?\d+)\}\s*\{(\d+)\}|(\d)(\d)|(\d)\{(\d+)\}|\{(-?\d+)\}(\d))$")]
    private static partial Regex Fraction();

    [GeneratedRegex(@"^(\d+(?:\.\d+)?)\s*\^\s*(?:\\circ|\{\\circ\})$")]
    private static partial Regex Degrees();

    [GeneratedRegex(@"^(?:\\text\{)?\(?([A-J])\)?\}?$")]
    private static partial Regex Choice();

    [GeneratedRegex(@"^\\text\{([A-Za-z]{2,})\}$")]
    private static partial Regex Word();

    [GeneratedRegex(@"^(\d+)_\{?(\d+)\}?$")]
    private static partial Regex Based();

    [GeneratedRegex(@"^(?:\\left\s*)?([(\[])\s*([^,]+?),\s*([^,]+?)\s*(?:\\right\s*)?([)\]])$")]
    private static partial Regex Interval();

    [GeneratedRegex(@"<|>|\\le|\\ge|\\lt|\\gt")]
    private static partial Regex Inequality();

    [GeneratedRegex(@"^[-+0-9i \\sqrt{}]+$")]
    private static partial Regex Complex();

    [GeneratedRegex(@"^[a-z]\(.*\]$")]
    private static partial Regex OddInterval();

    // A letter that no command and no constant accounts for.
    [GeneratedRegex(@"(?<![\\a-zA-Z])[a-df-hj-zA-Z](?![a-zA-Z]{3})|\\(?:alpha|theta|omega|lambda|tau|rho|sigma|gamma|zeta|hbar|Delta)")]
    private static partial Regex Unknown();
}
