using System.Text.RegularExpressions;

namespace Luffy.Engine.Rewards;

/// <summary>Finds the answer in a completion, in one pass over the text whatever it holds.</summary>
public static partial class AnswerExtraction
{
    /// <summary>Closes the thought; what counts comes after the first one.</summary>
    public const string ThinkEnd = "</think>";

    private const string Box = "\\boxed";

    /// <summary>The text after the first <c>&lt;/think&gt;</c>, or null where there is none.</summary>
    public static string? AfterThought(string completion)
    {
        ArgumentNullException.ThrowIfNull(completion);
        int end = completion.IndexOf(ThinkEnd, StringComparison.Ordinal);
        return end < 0 ? null : completion[(end + ThinkEnd.Length)..];
    }

    /// <summary>
    /// What the last <c>\boxed{…}</c> holds, braces within it balanced and <c>\{</c> no brace; null where there is none or the last one
    /// is never closed.
    /// </summary>
    public static string? LastBoxed(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int last = text.LastIndexOf(Box, StringComparison.Ordinal);
        if (last < 0) return null;
        int open = last + Box.Length;
        while (open < text.Length && text[open] == ' ') open++;
        if (open >= text.Length || text[open] != '{') return null;
        int depth = 0;
        for (int i = open; i < text.Length; i++)
        {
            switch (text[i])
            {
                case '\\': i++; break;
                case '{': depth++; break;
                case '}' when --depth == 0: return text[(open + 1)..i].Trim();
            }
        }

        return null;
    }

    /// <summary>
    /// The answer of prose without a box: what "the answer is" announces, up to the sentence's end, else the last formula between
    /// dollar signs or TeX's brackets. Text that is no prose, or holds neither, is the answer as a whole.
    /// </summary>
    public static string Stated(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string end = text.Length > LongestStatement ? text[^LongestStatement..] : text;
        if (Announcement().Matches(end) is { Count: > 0 } announcements)
        {
            string tail = end[(announcements[^1].Index + announcements[^1].Length)..].TrimStart('}', ' ').Trim();
            var formula = Formula().Match(tail);
            string stated = formula.Success && formula.Index == 0 ? FormulaContent(formula) : tail[..(SentenceEnd().Match(tail) is { Success: true } stop ? stop.Index : tail.Length)];
            if (stated.Trim('*', '.', ':', ' ').Length > 0) return stated.Trim();
        }

        return Prose().IsMatch(end) && Formula().Matches(end) is { Count: > 0 } formulas ? FormulaContent(formulas[^1]) : text.Trim();
    }

    private const int LongestStatement = 2000;

    private static string FormulaContent(Match formula) => formula.Groups.Values.Skip(1).First(group => group.Success).Value.Trim();

    [GeneratedRegex(@"\banswer(?: is|:| =)(?: that)?:?", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Announcement();

    // Three words in a row, or a word before a formula at the start.
    [GeneratedRegex(@"[A-Za-z]{2,},? [A-Za-z]{2,},? [A-Za-z]{2,}|^\s*[A-Z][a-z]+,? (?:[a-z]+ )*(?:\$|\\\(|\\\[)")]
    private static partial Regex Prose();

    [GeneratedRegex(@"\$\$(.+?)\$\$|(?<!\\)\$([^$\n]+?)(?<!\\)\$|\\\(([^\n]+?)\\\)|\\\[(.+?)\\\]", RegexOptions.Singleline)]
    private static partial Regex Formula();

    [GeneratedRegex(@"\.(?:\s|$)|\n")]
    private static partial Regex SentenceEnd();
}
