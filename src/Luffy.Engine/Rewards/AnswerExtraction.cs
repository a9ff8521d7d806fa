using System.Text.RegularExpressions;

namespace Luffy.Engine.Rewards;

/// <summary>Finds the answer in a completion, in one pass over the text whatever it holds.</summary>
public static partial class AnswerExtraction
{
    /// <summary>Closes the thought; what counts comes after the first one.</summary>
    public const string ThinkEnd = "</think>";

    private const string Box = "\\boxed";
    private const int MostBoxes = 20, LongestGap = 70, LongestStatement = 2000;

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
        return BoxBefore(text, text.Length)?.Content;
    }

    /// <summary>
    /// The ways to read the boxes at a text's end, the likeliest first; none where <see cref="LastBoxed"/> finds nothing. Boxes with only
    /// commas, "and", "or" and mathematical layout between them are one list. Where other words of the same sentence stand there too,
    /// as in <c>\boxed{2} bins and \boxed{3} papers</c>, they may be one, and the last may be the answer by itself.
    /// </summary>
    public static IReadOnlyList<string> Boxed(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (BoxBefore(text, text.Length) is not { } last) return [];
        var boxes = new List<string> { last.Content };
        bool certain = true;
        for (int start = last.Start; boxes.Count < MostBoxes && BoxBefore(text, start) is { } box; start = box.Start)
        {
            string gap = text[box.End..start];
            if (gap.Length >= LongestGap || (!Connector().IsMatch(gap) && !SameSentence().IsMatch(gap))) break;
            certain &= Connector().IsMatch(gap);
            if (box.Content.Length > 0 && !boxes.Contains(box.Content)) boxes.Insert(0, box.Content);
        }

        if (boxes.Count == 1) return boxes;
        string list = string.Join(boxes.Any(content => content.Contains(',', StringComparison.Ordinal)) ? "; " : ", ", boxes);
        return certain ? [list] : [list, last.Content];
    }

    private readonly record struct BoxAt(int Start, int End, string Content);

    // The last box that begins before a place; it ends before it too, or is none.
    private static BoxAt? BoxBefore(string text, int before)
    {
        int start = before < Box.Length ? -1 : text.LastIndexOf(Box, before - 1, StringComparison.Ordinal);
        if (start < 0) return null;
        int open = start + Box.Length;
        while (open < before && text[open] == ' ') open++;
        if (open >= before || text[open] != '{') return null;
        int depth = 0;
        for (int i = open; i < before; i++)
        {
            switch (text[i])
            {
                case '\\': i++; break;
                case '{': depth++; break;
                case '}' when --depth == 0: return new(start, i + 1, text[(open + 1)..i].Trim());
            }
        }

        return null;
    }

    /// <summary>
    /// The answer of prose without a box: what "the answer is" announces, up to the sentence's end, else the last formula between
    /// dollar signs or TeX's brackets, or the last number, whichever is later; formulas joined by "and" or "or" are a list. Text that is no
    /// prose, or holds neither, is the answer as a whole.
    /// </summary>
    public static string Stated(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string end = text.Length > LongestStatement ? text[^LongestStatement..] : text;
        if (Announced(end) is { } announced) return announced;
        return Prose().IsMatch(end) && !ChosenWithWords().IsMatch(end) && LastValue(end) is { } value ? value : text.Trim();
    }

    /// <summary>What "the answer is" announces, or null where nothing does.</summary>
    public static string? Announced(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string end = text.Length > LongestStatement ? text[^LongestStatement..] : text;
        if (Announcement().Matches(end) is not { Count: > 0 } announcements) return null;
        string tail = end[(announcements[^1].Index + announcements[^1].Length)..].TrimStart('}', ' ').Trim();
        if (Formula().Match(tail) is { Success: true, Index: 0 }) return Formulas(tail)[0].Content;
        string stated = tail[..(SentenceEnd().Match(tail) is { Success: true } stop ? stop.Index : tail.Length)];
        if (Prose().IsMatch(stated) && !ChosenWithWords().IsMatch(stated) && LastValue(stated) is { } value) return value;
        return stated.Trim('*', '.', ':', ' ').Length > 0 ? stated.Trim() : null;
    }

    // The last formulas or the last number outside of formulas.
    private static string? LastValue(string text)
    {
        var formulas = Formulas(text);
        int formulaEnd = formulas.Count > 0 ? formulas[^1].End : 0;
        var numbers = Number().Matches(text, formulaEnd);
        if (numbers.Count > 0) return numbers[^1].Value;
        return formulas.Count > 0 ? formulas[^1].Content : null;
    }

    // The formulas of a text; several with "and", "or" or a comma between them are one.
    private static List<(int End, string Content)> Formulas(string text)
    {
        var formulas = new List<(int End, string Content)>();
        foreach (Match match in Formula().Matches(text))
        {
            string content = match.Groups.Values.Skip(1).First(group => group.Success).Value.Trim();
            bool joined = formulas.Count > 0 && Conjunction().IsMatch(text[formulas[^1].End..match.Index]);
            if (joined) formulas[^1] = (match.Index + match.Length, formulas[^1].Content + ", " + content);
            else formulas.Add((match.Index + match.Length, content));
        }

        return formulas;
    }

    // Layout of formulas, commas and conjunctions, in text or not.
    [GeneratedRegex(@"^(?:[\s$,;&~]|\\[()\[\],;:! ]|\\q?quad\b|\\(?:text|textrm|mathrm|mbox)\s*\{[\s,;]*(?:and|or)?[\s,;]*\}|and|or)*$", RegexOptions.NonBacktracking)]
    private static partial Regex Connector();

    // Words with a comma or conjunction among them and no end of a sentence or paragraph.
    [GeneratedRegex(@"^(?:[^.!?\n]|\n(?!\s*\n))*?(?:\b(?:and|or)\b|[,;])(?:[^.!?\n]|\n(?!\s*\n))*$")]
    private static partial Regex SameSentence();

    [GeneratedRegex(@"^\s*(?:,?\s*(?:and|or)|,)\s*$", RegexOptions.NonBacktracking)]
    private static partial Regex Conjunction();

    [GeneratedRegex(@"\b(?:final answer[^.\n]{0,100}? is|answer(?: is|:| =)(?: that)?):?", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Announcement();

    // Three words in a row, or a word before a formula at the start.
    [GeneratedRegex(@"[A-Za-z]{2,},? [A-Za-z]+,? [A-Za-z]{2,}|^\s*[A-Z][a-z]+ [a-z]{2,} [0-9]|^\s*[A-Z][a-z]+,? (?:[a-z]+,? )*(?:[a-z]+: ?)?(?:\$|\\\(|\\\[)|^\s*(?:[A-Za-z]+ )*[A-Za-z]+: ?(?:\$|\\\(|\\\[)")]
    private static partial Regex Prose();

    // "B. the second one": the letter is the answer.
    [GeneratedRegex(@"^\W*[A-J][.:)*]", RegexOptions.NonBacktracking)]
    private static partial Regex ChosenWithWords();

    [GeneratedRegex(@"\$\$(.+?)\$\$|(?<!\\)\$((?:\\\$|[^$\n])+?)(?<!\\)\$|\\\(([^\n]+?)\\\)|\\\[(.+?)\\\]", RegexOptions.Singleline)]
    private static partial Regex Formula();

    // With signs of grouping, a decimal part, a denominator, per cent; not within a word or a formula without dollar signs.
    [GeneratedRegex(@"(?<![\w.,\\^{}/+*-])-?[0-9]+(?:,[0-9]{3})*(?:[.,][0-9]+)?(?:\s?/\s?[0-9]+)?(?:\s?\\?%)?(?![0-9])")]
    private static partial Regex Number();

    [GeneratedRegex(@"\.(?:\s|$)|\n")]
    private static partial Regex SentenceEnd();
}
