using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;

namespace Luffy.Engine.Tests.Rewards.Agreement;

internal static partial class LabelledPairs
{
    private static IEnumerable<(string, string, bool)> Integers(string g)
    {
        var n = BigInteger.Parse(g, CultureInfo.InvariantCulture);
        yield return ("dollar signs", $"${g}$", true);
        yield return ("a decimal zero", $"{n}.0", true);
        yield return ("a name", $"x = {n}", true);
        yield return ("a fraction", $"\\frac{{{3 * n}}}{{3}}", true);
        yield return ("a sum", $"{n + 17} - 17", true);
        yield return ("a unit", $"{n} \\text{{ meters}}", true);
        if (BigInteger.Abs(n) >= 1000)
        {
            yield return ("grouped", Grouped(Scaled(n), ","), true);
            yield return ("grouped by TeX", Grouped(Scaled(n), "{,}"), true);
        }

        yield return ("one more", Scaled(n + 1), false);
        yield return ("a half more", $"{n}.5", false);
        yield return ("ten times", n.IsZero ? "10" : Scaled(10 * n), false);
        if (!n.IsZero) yield return ("its opposite", Scaled(-n), false);
        if (n > 1) yield return ("its inverse", $"\\frac{{1}}{{{n}}}", false);
        yield return ("two answers", $"{n}, {n + 1}", false);
        yield return ("an unknown", $"{n}x + 1", false);
    }

    private static IEnumerable<(string, string, bool)> Decimals(string g)
    {
        string sign = g[0] == '-' ? "-" : "", digits = g[sign.Length..];
        int places = digits.Length - digits.IndexOf('.', StringComparison.Ordinal) - 1;
        var top = BigInteger.Parse("0" + digits.Replace(".", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
        var bottom = BigInteger.Pow(10, places);
        string whole = (top / bottom).ToString(CultureInfo.InvariantCulture), decimals = digits[^places..];
        yield return ("a zero behind", g + "0", true);
        yield return ("a fraction", $"{sign}\\frac{{{top}}}{{{bottom}}}", true);
        yield return ("a slash", $"{sign}{2 * top}/{2 * bottom}", true);
        yield return ("a leading zero", sign + whole + "." + decimals, true);
        yield return ("a unit", g + " \\text{ s}", true);
        yield return ("a power of ten", $"{sign}{top} \\times 10^{{-{places}}}", true);
        string next = (top + 1).ToString(CultureInfo.InvariantCulture).PadLeft(places + 1, '0');
        yield return ("another last digit", sign + next[..^places] + "." + next[^places..], false);
        yield return ("a place shifted", $"{sign}\\frac{{{top}}}{{{10 * bottom}}}", top.IsZero);
        yield return ("cut off", sign + whole + (places > 1 ? "." + decimals[..^1] : ""), decimals[^1] == '0');
        yield return ("its opposite", sign == "-" ? digits : "-" + digits, top.IsZero);
        yield return ("more digits", g + "1", false);
    }

    private static IEnumerable<(string, string, bool)> PowersOfTen(string mantissa, int exponent)
    {
        yield return ("times", $"{mantissa} \\times 10^{{{exponent}}}", true);
        yield return ("dot", $"{mantissa} \\cdot 10^{{{exponent}}}", true);
        yield return ("a unit", $"{mantissa} \\times 10^{{{exponent}}} \\text{{ erg}}", true);
        yield return ("capital", $"{mantissa}E{exponent}", true);
        yield return ("a zero less", $"{mantissa}e{exponent - 1}", false);
        yield return ("the other sign", $"{mantissa}e{-exponent}", false);
        yield return ("another digit", $"{mantissa}{(mantissa.Contains('.', StringComparison.Ordinal) ? "" : ".")}3 \\times 10^{{{exponent}}}", false);
    }

    private static IEnumerable<(string, string, bool)> Fractions(Match match)
    {
        string[] parts = [.. match.Groups.Values.Skip(2).Where(group => group.Success).Select(group => group.Value)];
        var a = BigInteger.Parse(parts[0], CultureInfo.InvariantCulture) * (match.Groups[1].Length > 0 ? -1 : 1);
        var b = BigInteger.Parse(parts[1], CultureInfo.InvariantCulture);
        yield return ("a slash", $"{a}/{b}", true);
        yield return ("display style", $"\\dfrac{{{a}}}{{{b}}}", true);
        yield return ("expanded", $"\\frac{{{7 * a}}}{{{7 * b}}}", true);
        yield return ("the sign outside", a.Sign < 0 ? $"-\\frac{{{-a}}}{{{b}}}" : $"+\\frac{{{a}}}{{{b}}}", true);
        yield return ("a product", $"{a} \\cdot \\frac{{1}}{{{b}}}", true);
        yield return ("a name", $"P = \\frac{{{a}}}{{{b}}}", true);
        var magnitude = BigInteger.Abs(a);
        var quotient = BigInteger.DivRem(magnitude, b, out var rest);
        if (quotient > 0 && rest > 0) yield return ("a mixed number", $"{(a.Sign < 0 ? "-" : "")}{quotient}\\frac{{{rest}}}{{{b}}}", true);
        string digits = (magnitude * BigInteger.Pow(10, 10) / b).ToString(CultureInfo.InvariantCulture).PadLeft(11, '0');
        string sign = a.Sign < 0 ? "-" : "";
        if (magnitude * 1000 > b) yield return ("ten decimals", $"{sign}{digits[..^10]}.{digits[^10..]}", true);
        bool exact = (magnitude * 100 % b).IsZero;
        yield return ("two decimals", $"{sign}{digits[..^10]}.{digits[^10..^8]}", exact);
        yield return ("the numerator changed", $"\\frac{{{a + 1}}}{{{b}}}", false);
        yield return ("the denominator changed", $"\\frac{{{a}}}{{{b + 1}}}", a.IsZero);
        if (magnitude != b && !a.IsZero) yield return ("upside down", $"\\frac{{{b}}}{{{a}}}", false);
        yield return ("its opposite", $"\\frac{{{-a}}}{{{b}}}", false);
        yield return ("a pair", $"({a}, {b})", false);
    }

    private static IEnumerable<(string, string, bool)> DegreesOf(string number)
    {
        yield return ("without the sign", number, true);
        yield return ("the word", $"{number} \\text{{ degrees}}", true);
        yield return ("a character", number + "°", true);
        yield return ("radians", $"\\frac{{{number}\\pi}}{{180}}", true);
        yield return ("ten times", $"10 \\cdot {number}^\\circ", false);
        yield return ("one more", $"({number} + 1)^\\circ", false);
        yield return ("radians of the same number", $"{number}\\pi", false);
    }

    private static IEnumerable<(string, string, bool)> Percents(string g)
    {
        string number = g.Replace("\\%", "", StringComparison.Ordinal).Replace("%", "", StringComparison.Ordinal).Trim();
        yield return ("TeX's sign", number + "\\%", true);
        yield return ("the word", number + " percent", true);
        yield return ("without the sign", number, true);
        yield return ("a hundredth", $"\\frac{{{number}}}{{100}}", true);
        yield return ("ten times", $"{number} \\cdot 10\\%", false);
        yield return ("one more", $"({number}+1)\\%", false);
    }

    private static IEnumerable<(string, string, bool)> Bases(string digits, string @base)
    {
        yield return ("braces", $"{digits}_{{{@base}}}", true);
        yield return ("without the base", digits, true);
        yield return ("another base", $"{digits}_{{{int.Parse(@base, CultureInfo.InvariantCulture) + 1}}}", false);
        yield return ("another digit", $"1{digits}_{@base}", false);
    }
}
