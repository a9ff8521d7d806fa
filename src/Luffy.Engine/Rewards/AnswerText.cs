using System.Text;
using System.Text.RegularExpressions;

namespace Luffy.Engine.Rewards;

/// <summary>Brings the many ways of writing one answer to one: LaTeX spacing, wrappers and signs of currency go, nothing else is judged.</summary>
internal static partial class AnswerText
{
    /// <summary>Longer answers are not looked at: nobody's final answer is, and every later step stays cheap.</summary>
    public const int Longest = 2000;

    private static readonly (string Old, string New)[] Replacements =
    [
        ("\\dfrac", "\\frac"), ("\\tfrac", "\\frac"), ("\\cfrac", "\\frac"), ("\\left", ""), ("\\right", ""), ("\\displaystyle", ""),
        ("\\!", ""), ("\\,", " "), ("\\;", " "), ("\\:", " "), ("\\ ", " "), ("~", " "), ("\\quad", " "), ("{,}", ","),
        ("\\$", ""), ("$", ""), ("€", ""), ("£", ""), ("\\%", "%"), ("^{\\circ}", "°"), ("^\\circ", "°"), ("\\circ", "°"),
        ("\\(", ""), ("\\)", ""), ("\\[", ""), ("\\]", ""), ("\u2212", "-"), ("\u2013", "-"), ("\u00A0", " "), ("\u202F", " "), ("**", ""),
        ("\\cdot", "*"), ("\\times", "*"), ("×", "*"),
    ];

    /// <summary>The plain form without a name before it: of <c>x = 5</c>, 5.</summary>
    public static string Value(string answer)
    {
        string result = Simplify(answer);
        var assignment = Assignment().Match(result);
        return assignment.Success ? result[assignment.Length..].Trim() : result;
    }

    /// <summary>The answer in its plain form.</summary>
    public static string Simplify(string answer)
    {
        var text = new StringBuilder(ThinSeparator().Replace(answer.Trim(), ","));
        foreach (var (old, replacement) in Replacements) text.Replace(old, replacement);
        // A wrapper keeps its content apart from what stands before it: 5\text{cm} is 5 cm.
        string result = Wrapper().Replace(text.ToString(), " $1").Replace("\\mbox", "", StringComparison.Ordinal);
        result = Spaces().Replace(result, " ").Trim();
        while (result.Length > 1 && result[^1] is '.' or ',' or ';' or ':') result = result[..^1].TrimEnd();
        // Parentheses around all of a single value say nothing; a comma makes them a pair or an interval.
        return result is ['(', .. var inner, ')'] && inner.AsSpan().IndexOfAny("(),") < 0 ? inner.Trim() : result;
    }

    // 1\,234 is a thousands separator.
    [GeneratedRegex(@"(?<=[0-9])\\[,;:] ?(?=[0-9]{3}(?![0-9]))")]
    private static partial Regex ThinSeparator();

    [GeneratedRegex(@"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox|operatorname)\s*\{([^{}]*)\}", RegexOptions.NonBacktracking)]
    private static partial Regex Wrapper();

    [GeneratedRegex(@"\s+", RegexOptions.NonBacktracking)]
    private static partial Regex Spaces();

    // A single unknown on the left of the only equals sign: "x = 5", "f(x) = 5" is another matter.
    [GeneratedRegex(@"^\\?[a-zA-Z](?:_\{?[a-zA-Z0-9]{1,3}\}?)? ?= ?(?=[^=]*$)")]
    private static partial Regex Assignment();
}
