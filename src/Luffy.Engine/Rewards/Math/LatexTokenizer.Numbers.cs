using System.Text;

namespace Luffy.Engine.Rewards.Math;

internal ref partial struct LatexTokenizer
{
    // Digits with thousands separators, a decimal part and a power of ten written e5.
    private void ReadNumber()
    {
        int start = position;
        var digits = new StringBuilder();
        while (char.IsAsciiDigit(Current))
        {
            digits.Append(Current);
            position++;
            while (GroupLength() is > 0 and var length)
            {
                digits.Append(text.Slice(position + length - 3, 3));
                position += length;
            }

            if (digits.Length > MostDigits) throw new VerificationLimitException($"a number has more than {MostDigits} digits");
        }

        // The point of 5. ends a sentence, unless an operator follows: -1./3.
        if (Current == '.' && (char.IsAsciiDigit(At(position + 1)) || (position > start && At(position + 1) is '/' or '*')))
        {
            digits.Append('.');
            position++;
            while (char.IsAsciiDigit(Current) && digits.Length <= MostDigits) digits.Append(text[position++]);
            if (char.IsAsciiDigit(Current)) throw new VerificationLimitException($"a number has more than {MostDigits} digits");
        }

        if (Current is 'e' or 'E' && (char.IsAsciiDigit(At(position + 1)) || (At(position + 1) is '-' or '+' && char.IsAsciiDigit(At(position + 2)))))
        {
            int power = position++;
            if (Current is '-' or '+') position++;
            while (char.IsAsciiDigit(Current)) position++;
            digits.Append('e').Append(text[(power + 1)..position]);
        }

        Add(TokenKind.Number, digits.ToString());
    }

    // The length of a separator and three digits, no more, that follow one to three digits or another group; 0 where there is none.
    private readonly int GroupLength()
    {
        int separator = ThousandsSeparators.Length(text, position, enclosed > 0 || commasSeparate);
        if (separator == 0) return 0;
        int before = position;
        while (char.IsAsciiDigit(At(before - 1)) && position - before < 4) before--;
        if (position - before is < 1 or > 3 || At(before - 1) == '.') return 0;
        int at = position + separator;
        return char.IsAsciiDigit(At(at)) && char.IsAsciiDigit(At(at + 1)) && char.IsAsciiDigit(At(at + 2)) && !char.IsAsciiDigit(At(at + 3)) ? separator + 3 : 0;
    }
}

/// <summary>What separates thousands: <c>1,234</c>, <c>1{,}234</c>, <c>1,\!234</c>, <c>1\,234</c>, <c>1 234</c>.</summary>
internal static class ThousandsSeparators
{
    /// <summary>The length of a separator of thousands at a place between digits, or 0.</summary>
    /// <param name="text">The text.</param>
    /// <param name="at">The place.</param>
    /// <param name="commasSeparate">Whether a plain comma separates numbers here.</param>
    public static int Length(ReadOnlySpan<char> text, int at, bool commasSeparate)
    {
        var rest = text[at..];
        if (rest.StartsWith("{,}")) return 3;
        if (rest.StartsWith("{, }") || rest.StartsWith(" {,}")) return 4;
        if (rest.StartsWith(" {, }")) return 5;
        if (rest.StartsWith(",\\!") || rest.StartsWith(", \\!"))
        {
            int length = rest.IndexOf('!') + 1;
            while (length < rest.Length && rest[length] == ' ') length++;
            return length;
        }

        if (rest.StartsWith("\\,") || rest.StartsWith("\\;") || rest.StartsWith("\\:") || rest.StartsWith("\\ ") || rest.StartsWith("\\!")) return rest.Length > 2 && rest[2] == ' ' ? 3 : 2;
        if (rest.Length > 0 && rest[0] is ' ' or '\u00A0' or '\u202F' or '\u2009') return 1;
        return !commasSeparate && rest.Length > 0 && rest[0] == ',' ? 1 : 0;
    }

    /// <summary>
    /// Whether a comma outside brackets clearly separates items: no three digits follow, or more than three precede. Then all commas beside it do.
    /// </summary>
    public static bool SomeCommaSeparates(ReadOnlySpan<char> text)
    {
        int depth = 0, digits = 0;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (c is '(' or '[' or '{') depth++;
            else if (c is ')' or ']' or '}') depth--;
            else if (c == ',' && depth == 0 && Length(text, i, true) == 0)
            {
                int following = 0;
                while (following < 4 && i + 1 + following < text.Length && char.IsAsciiDigit(text[i + 1 + following])) following++;
                if (digits is 0 or > 3 || following != 3) return true;
            }

            digits = char.IsAsciiDigit(c) ? digits + 1 : 0;
        }

        return false;
    }
}
