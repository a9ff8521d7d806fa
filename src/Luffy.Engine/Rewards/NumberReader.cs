using System.Globalization;
using System.Numerics;

namespace Luffy.Engine.Rewards;

/// <summary>
/// Reads a number as people write it at the end of a solution: integers with or without thousands separators, decimals, powers of ten,
/// fractions (<c>1/2</c>, <c>\frac{1}{2}</c>, <c>\frac12</c>), mixed numbers, with a percent sign or a unit behind. Exact; bounded in digits and exponents.
/// </summary>
internal ref struct NumberReader
{
    private const int MostDigits = 1000, LargestExponent = 1000;

    private readonly ReadOnlySpan<char> text;
    private int position;

    private NumberReader(ReadOnlySpan<char> text) => this.text = text;

    /// <summary>A number and what stands behind it.</summary>
    /// <param name="Value">The number, a percent sign not counted.</param>
    /// <param name="Percent">Whether a percent sign follows.</param>
    /// <param name="Unit">The words that follow, in lower case, a plural s off; empty where none do.</param>
    public readonly record struct Reading(Rational Value, bool Percent, string Unit);

    /// <summary>Reads simplified text as a whole; null where it is no number.</summary>
    public static Reading? Read(ReadOnlySpan<char> simplified)
    {
        var reader = new NumberReader(simplified);
        if (reader.ReadSigned() is not { } value) return null;
        reader.SkipSpaces();
        bool percent = reader.TrySkip('%');
        bool degrees = reader.TrySkip('°');
        return reader.ReadUnit() is { } unit ? new Reading(value, percent, degrees && unit.Length == 0 ? "degree" : unit) : null;
    }

    private char Current => position < text.Length ? text[position] : '\0';

    private void SkipSpaces()
    {
        while (Current == ' ') position++;
    }

    private bool TrySkip(char c)
    {
        SkipSpaces();
        if (Current != c) return false;
        position++;
        return true;
    }

    private Rational? ReadSigned()
    {
        bool negative = false;
        for (int signs = 0; signs < 2 && Current is '-' or '+' or ' '; position++)
        {
            if (Current == ' ') continue;
            negative ^= Current == '-';
            signs++;
        }

        return ReadFractionOrMixed() is { } value ? negative ? Rational.Negate(value) : value : null;
    }

    // a, a/b, a b/c, a\frac{b}{c}, \frac{a}{b}
    private Rational? ReadFractionOrMixed()
    {
        if (AtFraction()) return ReadLatexFraction();
        if (ReadPlain() is not { } whole) return null;
        int after = position;
        if (TrySkip('/')) return ReadSignedPlain() is { } bottom ? Rational.Divide(whole, bottom) : null;
        SkipSpaces();
        if (!whole.Denominator.IsOne) return Back(after, whole);
        if (AtFraction()) return ReadLatexFraction() is { } part ? Rational.Add(whole, part) : null;
        if (position > after && char.IsAsciiDigit(Current) && ReadPlain() is { } top && TrySkip('/'))
            return ReadPlain() is { } bottom && Rational.Divide(top, bottom) is { } part ? Rational.Add(whole, part) : null;
        return Back(after, whole);
    }

    private Rational Back(int to, Rational value)
    {
        position = to;
        return value;
    }

    private readonly bool AtFraction() => text[position..].StartsWith("\\frac", StringComparison.Ordinal);

    private Rational? ReadLatexFraction()
    {
        position += "\\frac".Length;
        return ReadArgument() is { } top && ReadArgument() is { } bottom ? Rational.Divide(top, bottom) : null;
    }

    // {…}, or one digit: \frac12 is a half.
    private Rational? ReadArgument()
    {
        SkipSpaces();
        if (char.IsAsciiDigit(Current)) return new Rational(text[position++] - '0', 1);
        if (!TrySkip('{')) return null;
        var value = ReadSignedPlain();
        return TrySkip('}') ? value : null;
    }

    private Rational? ReadSignedPlain()
    {
        SkipSpaces();
        bool negative = Current == '-';
        if (Current is '-' or '+') position++;
        SkipSpaces();
        return ReadPlain() is { } value ? negative ? Rational.Negate(value) : value : null;
    }

    // Digits with thousands separators, a decimal part and a power of ten.
    private Rational? ReadPlain()
    {
        SkipSpaces();
        Span<char> digits = stackalloc char[MostDigits];
        int count = 0, decimals = 0, start = position;
        while (char.IsAsciiDigit(Current))
        {
            if (count == MostDigits) return null;
            digits[count++] = text[position++];
            // A comma belongs to the number where it follows one to three digits (or a group) and three digits, no more, follow it.
            if (Current == ',' && position - start <= 3 && !TryGroups(digits, ref count)) return null;
        }

        if (Current == '.' && (count > 0 || IsDigitAt(position + 1)))
        {
            position++;
            while (char.IsAsciiDigit(Current))
            {
                if (count == MostDigits) return null;
                digits[count++] = text[position++];
                decimals++;
            }
        }

        if (count == 0 || !TryExponent(out int exponent)) return null;
        exponent -= decimals;
        var value = BigInteger.Parse(digits[..count], NumberStyles.None, CultureInfo.InvariantCulture);
        var power = BigInteger.Pow(10, Math.Abs(exponent));
        return exponent >= 0 ? new Rational(value * power, 1) : new Rational(value, power);
    }

    private bool TryGroups(scoped Span<char> digits, ref int count)
    {
        while (Current == ',')
        {
            if (!IsDigitAt(position + 1) || !IsDigitAt(position + 2) || !IsDigitAt(position + 3) || IsDigitAt(position + 4)) return false;
            if (count + 3 > MostDigits) return false;
            text.Slice(position + 1, 3).CopyTo(digits[count..]);
            count += 3;
            position += 4;
        }

        return true;
    }

    private readonly bool IsDigitAt(int at) => at < text.Length && char.IsAsciiDigit(text[at]);

    // e5, E-3, *10^5, *10^{-5}; false where a power is written but out of bounds or malformed.
    private bool TryExponent(out int exponent)
    {
        exponent = 0;
        int before = position;
        if (Current is 'e' or 'E' && (IsDigitAt(position + 1) || (position + 1 < text.Length && text[position + 1] is '-' or '+' && IsDigitAt(position + 2))))
        {
            position++;
            return TryInteger(out exponent);
        }

        SkipSpaces();
        if (Current == '*' || Current == '^')
        {
            if (Current == '^')
            {
                // A bare 10^5 has the 10 as its mantissa already.
                if (!text[..position].TrimEnd().SequenceEqual("10") && !text[..position].TrimEnd().SequenceEqual("-10")) return false;
                if (!TryPower(out exponent)) return false;
                exponent--;
                return true;
            }

            position++;
            SkipSpaces();
            if (!text[position..].StartsWith("10", StringComparison.Ordinal)) return false;
            position += 2;
            return TryPower(out exponent);
        }

        position = before;
        return true;
    }

    private bool TryPower(out int exponent)
    {
        exponent = 0;
        if (!TrySkip('^')) return false;
        bool braces = TrySkip('{');
        return TryInteger(out exponent) && (!braces || TrySkip('}'));
    }

    private bool TryInteger(out int value)
    {
        SkipSpaces();
        bool negative = Current == '-';
        if (Current is '-' or '+') position++;
        value = 0;
        int digits = 0;
        for (; char.IsAsciiDigit(Current); position++, digits++)
        {
            value = value * 10 + (Current - '0');
            if (value > LargestExponent) return false;
        }

        if (negative) value = -value;
        return digits > 0;
    }

    // Words behind the number, or null where what follows is no unit: a variable (5x), a relation (5 and 6), another number.
    private string? ReadUnit()
    {
        bool apart = position > 0 && text[position - 1] == ' ';
        var rest = text[position..].Trim();
        if (rest.IsEmpty) return "";
        if (rest.Length > 40 || !char.IsAsciiLetter(rest[0])) return null;
        foreach (char c in rest)
            if (!char.IsAsciiLetter(c) && c is not (' ' or '/' or '^' or '2' or '3' or '{' or '}' or '.')) return null;
        string unit = rest.ToString().Replace("{", "", StringComparison.Ordinal).Replace("}", "", StringComparison.Ordinal).Replace(".", "", StringComparison.Ordinal);
        string[] words = unit.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length is 0 or > 4 || words.Any(w => w is "and" or "or" or "to" or "by" or "pi" or "i" or "mod" or "times")) return null;
        // Glued to the number, or a lone letter, it may be an unknown: only what can hardly be one passes.
        if ((!apart || (words.Length == 1 && unit.Length == 1)) && unit is not ("cm" or "mm" or "km" or "kg" or "mg" or "ml" or "mL" or "kW" or "am" or "pm" or "hours" or "hrs" or "min" or "sec")) return null;
        unit = unit.ToLowerInvariant();
        return unit.Length > 2 && unit.EndsWith('s') && !unit.EndsWith("ss", StringComparison.Ordinal) ? unit[..^1] : unit;
    }
}
