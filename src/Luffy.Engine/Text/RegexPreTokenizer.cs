using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Luffy.Engine.Text;

/// <summary>What becomes of the text that a split pattern matches, in tokenizer.json's words.</summary>
internal enum SplitBehavior
{
    Isolated,
    Removed,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// <summary>
/// The <c>Split</c> stage: cuts at the matches of a regular expression over code points. .NET matches UTF-16 units, to which half a
/// surrogate pair is no letter; so text beyond the basic plane is matched through a shadow that has one stand-in character
/// of the same general category for every such code point.
/// </summary>
internal sealed class RegexPreTokenizer(Regex pattern, SplitBehavior behavior, bool invert) : PreTokenizer
{
    // One character of each general category that no pre-tokenizer pattern names.
    private static readonly Dictionary<UnicodeCategory, char> StandIns = new()
    {
        [UnicodeCategory.UppercaseLetter] = '\u0410',
        [UnicodeCategory.LowercaseLetter] = '\u0430',
        [UnicodeCategory.TitlecaseLetter] = '\u01C5',
        [UnicodeCategory.ModifierLetter] = '\u02B0',
        [UnicodeCategory.OtherLetter] = '\u0E01',
        [UnicodeCategory.NonSpacingMark] = '\u0300',
        [UnicodeCategory.SpacingCombiningMark] = '\u0903',
        [UnicodeCategory.EnclosingMark] = '\u0488',
        [UnicodeCategory.DecimalDigitNumber] = '\u0660',
        [UnicodeCategory.LetterNumber] = '\u2160',
        [UnicodeCategory.OtherNumber] = '\u00B2',
        [UnicodeCategory.Control] = '\u0001',
        [UnicodeCategory.Format] = '\u00AD',
        [UnicodeCategory.PrivateUse] = '\uE000',
        [UnicodeCategory.OtherNotAssigned] = '\u0378',
        [UnicodeCategory.ConnectorPunctuation] = '\u203F',
        [UnicodeCategory.DashPunctuation] = '\u058A',
        [UnicodeCategory.OpenPunctuation] = '\u0F3A',
        [UnicodeCategory.ClosePunctuation] = '\u0F3B',
        [UnicodeCategory.InitialQuotePunctuation] = '\u00AB',
        [UnicodeCategory.FinalQuotePunctuation] = '\u00BB',
        [UnicodeCategory.OtherPunctuation] = '\u00A1',
        [UnicodeCategory.MathSymbol] = '\u00AC',
        [UnicodeCategory.CurrencySymbol] = '\u00A4',
        [UnicodeCategory.ModifierSymbol] = '\u02C2',
        [UnicodeCategory.OtherSymbol] = '\u00A6',
    };

    /// <summary>Compiles a pattern as the field's files write it.</summary>
    /// <exception cref="ArgumentException">The pattern is no regular expression that .NET understands.</exception>
    public static Regex Compile(string pattern) => new(pattern, RegexOptions.CultureInvariant | RegexOptions.Compiled);

    /// <summary>
    /// What a pattern has in it that means something else here than to Hugging Face's engine (Oniguruma, in its Ruby syntax), or null. Better no
    /// tokenizer than one with other ids.
    /// </summary>
    public static string? Unsupported(string pattern)
    {
        bool inClass = false;
        int opened = 0;
        for (int i = 0; i < pattern.Length; i++)
        {
            char c = pattern[i], next = i + 1 < pattern.Length ? pattern[i + 1] : '\0';
            if (char.IsSurrogate(c)) return "a character beyond the basic plane";
            if (c == '\\')
            {
                if (next is 'w' or 'W' or 'b' or 'B' or 'h' or 'H' or 'R' or 'X' or 'K' or 'G' or 'Z' or 'z' or 'A' or 'k' or 'g') return $"\\{next}";
                i++;
            }
            else if (inClass)
            {
                if (c == ']' && i != opened + 1) inClass = false;
                else if (c == '[') return "a class within a class";
                else if (c == '&' && next == '&') return "the intersection && of classes";
            }
            else if (c == '[')
            {
                // A bracket that comes first in a class is a member of it.
                (inClass, opened) = (true, next == '^' ? i + 1 : i);
                if (next == '^') i++;
            }
            else if (c is '^' or '$')
            {
                return $"the anchor {c}";
            }
            else if (next == '+' && c is '+' or '?' or '*')
            {
                return $"the possessive quantifier {c}+";
            }
        }

        return null;
    }

    /// <inheritdoc/>
    public override void Split(ReadOnlyMemory<char> piece, bool isFirst, List<ReadOnlyMemory<char>> output)
    {
        if (piece.IsEmpty) return;
        int[]? starts = null;
        var subject = piece.Span;
        if (subject.IndexOfAnyInRange('\uD800', '\uDFFF') >= 0) subject = Shadow(subject, out starts);

        if (behavior == SplitBehavior.Isolated)
        {
            // Matches and gaps alike become pieces, so inverting changes nothing.
            int done = 0;
            foreach (var match in pattern.EnumerateMatches(subject))
            {
                if (match.Length == 0) continue;
                int start = At(match.Index), stop = At(match.Index + match.Length);
                if (done < start) output.Add(piece[done..start]);
                output.Add(piece[start..stop]);
                done = stop;
            }

            if (done < piece.Length) output.Add(piece[done..]);
            return;
        }

        var parts = new List<(int Start, int Stop, bool Match)>();
        int last = 0;
        foreach (var match in pattern.EnumerateMatches(subject))
        {
            int start = At(match.Index), stop = At(match.Index + match.Length);
            if (last < start) parts.Add((last, start, invert));
            parts.Add((start, stop, !invert));
            last = stop;
        }

        if (last < piece.Length) parts.Add((last, piece.Length, invert));
        foreach (var (start, stop) in Gather(parts))
            if (start < stop) output.Add(piece[start..stop]);

        int At(int index) => starts is null ? index : starts[index];
    }

    private List<(int Start, int Stop)> Gather(List<(int Start, int Stop, bool Match)> parts)
    {
        var result = new List<(int Start, int Stop)>();
        bool previous = false;
        switch (behavior)
        {
            case SplitBehavior.Removed:
                result.AddRange(parts.Where(p => !p.Match).Select(p => (p.Start, p.Stop)));
                break;
            case SplitBehavior.MergedWithNext:
                for (int i = parts.Count - 1; i >= 0; i--)
                {
                    if (parts[i].Match && !previous && result.Count > 0) result[^1] = (parts[i].Start, result[^1].Stop);
                    else result.Add((parts[i].Start, parts[i].Stop));
                    previous = parts[i].Match;
                }

                result.Reverse();
                break;
            default:
                foreach (var (start, stop, match) in parts)
                {
                    bool join = behavior == SplitBehavior.Contiguous ? match == previous : match && !previous;
                    if (join && result.Count > 0) result[^1] = (result[^1].Start, stop);
                    else result.Add((start, stop));
                    previous = match;
                }

                break;
        }

        return result;
    }

    // starts[i] is where code point i begins in the text; one more entry holds the text's length.
    private static ReadOnlySpan<char> Shadow(ReadOnlySpan<char> text, out int[] starts)
    {
        var shadow = new char[text.Length];
        starts = new int[text.Length + 1];
        int count = 0, at = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            shadow[count] = rune.IsBmp ? (char)rune.Value : StandIns[Rune.GetUnicodeCategory(rune)];
            starts[count++] = at;
            at += rune.Utf16SequenceLength;
        }

        starts[count] = at;
        return shadow.AsSpan(0, count);
    }
}
