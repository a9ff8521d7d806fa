using System.Numerics;

namespace Luffy.Engine.Rewards.Math;

/// <summary>An answer is no formula that the parser knows; it may still be compared as text.</summary>
/// <param name="reason">What was found and not understood.</param>
internal sealed class UnreadableAnswerException(string reason) : Exception(reason);

/// <summary>
/// Reads tokens as an expression, by recursive descent with a bounded depth: sets over sums over products over juxtaposition over powers.
/// </summary>
/// <param name="tokens">They end in <see cref="TokenKind.End"/>; a number may be split in place, as in <c>\frac12</c>.</param>
internal sealed partial class ExpressionParser(List<Token> tokens)
{
    // Four or five levels of the grammar for each pair of brackets.
    private const int Deepest = 160, MostSets = 50, LargestExponent = 1000;

    private int position, depth, bars, plusMinusSigns;

    // Within {x : …} a colon is no ratio's.
    private bool startsSet;

    private Token Current => tokens[position];

    private Token Next => tokens[int.Min(position + 1, tokens.Count - 1)];

    private Token Take() => tokens[position < tokens.Count - 1 ? position++ : position];

    private bool TryTake(char symbol)
    {
        if (!Current.Is(symbol)) return false;
        position++;
        return true;
    }

    private void Expect(char symbol)
    {
        if (!TryTake(symbol)) throw Unreadable($"'{symbol}'");
    }

    private UnreadableAnswerException Unreadable(string expected) =>
        new($"found {(Current.Kind == TokenKind.End ? "the end" : $"'{Current.Text}'")}, expected {expected}");

    private void Enter()
    {
        if (++depth > Deepest) throw new VerificationLimitException("an answer is nested too deeply");
    }

    // Sums joined by union, intersection and difference, from left to right.
    private Expression ParseSet()
    {
        Enter();
        var left = ParseSum();
        for (int operations = 0; Current.Is('∪') || Current.Is('∩') || Current.Is('∖'); operations++)
        {
            if (operations >= MostSets) throw new VerificationLimitException($"an answer joins more than {MostSets} sets");
            char symbol = Take().Text[0];
            left = new SetOperation(symbol, left, ParseSum());
        }

        depth--;
        return left;
    }

    private Expression ParseSum()
    {
        var terms = new List<Expression>();
        do
        {
            if (Current.Is('±') || Current.Is('∓')) terms.Add(ParsePlusMinus());
            else
            {
                bool negative = TakeSigns();
                var term = ParseProduct();
                terms.Add(negative ? Negate(term) : term);
            }
        }
        while (Current.Is('+') || Current.Is('-') || Current.Is('±') || Current.Is('∓'));
        return terms.Count == 1 ? terms[0] : new Sum(terms);
    }

    private PlusMinus ParsePlusMinus()
    {
        bool minusFirst = Take().Is('∓');
        int number = plusMinusSigns++;
        return new PlusMinus(ParseProduct(), number, minusFirst);
    }

    // Any number of signs; whether they make a minus.
    private bool TakeSigns()
    {
        bool negative = false;
        for (; Current.Is('+') || Current.Is('-'); position++) negative ^= Current.Is('-');
        return negative;
    }

    private static Expression Negate(Expression value) => value is Literal number
        ? new Literal(-number.Value, number.Decimals, number.Significant)
        : new Product([new Literal(-1), value]);

    private static Power Reciprocal(Expression value) => new(value, new Literal(-1));

    private static Expression Quotient(Expression top, Expression bottom) =>
        top is Literal { Significant: 0 } a && bottom is Literal { Significant: 0, Value.IsZero: false } b ? new Literal(a.Value / b.Value) : new Product([top, Reciprocal(bottom)]);

    private Expression ParseProduct()
    {
        var product = ParseJuxtaposition(out bool number);
        List<Expression>? factors = null;
        while (Current.Is('*') || Current.Is('/') || Current.Is('÷'))
        {
            bool divide = !Take().Is('*');
            bool negative = TakeSigns();
            // 1/2 x is a half of x, while a/2x and 1/2x divide by all of 2x.
            bool coefficient = divide && number && factors is null && Current.Kind == TokenKind.Number && (Next.SpaceBefore || Next.Kind == TokenKind.Command);
            var factor = coefficient ? ParsePostfix() : ParseJuxtaposition(out _);
            if (negative) factor = Negate(factor);
            if (factors is null && divide) product = Quotient(product, factor);
            else (factors ??= [product]).Add(divide ? Reciprocal(factor) : factor);
            if (coefficient && StartsFactor()) (factors ??= [product]).Add(ParseJuxtaposition(out _));
        }

        return factors is null ? product : new Product(factors);
    }

    // Factors beside each other without a sign, or a mixed number.
    private Expression ParseJuxtaposition(out bool number)
    {
        number = Current.Kind == TokenKind.Number && Current.Text.All(char.IsAsciiDigit);
        if (number && TryMixedNumber() is { } mixed)
        {
            if (!StartsFactor()) return mixed;
            return new Product([mixed, ParseJuxtaposition(out _)]);
        }

        var factors = new List<Expression> { ParsePostfix() };
        while (StartsFactor())
        {
            if (Current.Kind == TokenKind.Number && factors[^1] is Literal) throw Unreadable("an operator between two numbers");
            // a1f is a hexadecimal number or a name, and x2 may be x² or x₂: no product.
            bool glued = Current is { Kind: TokenKind.Number, SpaceBefore: false } && !Next.Is('^');
            if (glued && tokens[position - 1] is { Kind: TokenKind.Letter, Text.Length: 1 } or { Kind: TokenKind.Word }) throw Unreadable("an operator");
            factors.Add(ParsePostfix());
        }

        number &= factors.Count == 1;
        return factors.Count == 1 ? factors[0] : new Product(factors);
    }

    // 1\frac{2}{3} and 1 2/3, digits only.
    private Literal? TryMixedNumber()
    {
        int before = position;
        var whole = BigInteger.Parse(Take().Text);
        if (Current.IsCommand("frac"))
        {
            position++;
            if (TryDigits() is { } top && TryDigits() is { IsZero: false } bottom && !Current.Is('^')) return new Literal(new Rational(whole, 1) + new Rational(top, bottom));
        }
        else if (Current is { Kind: TokenKind.Number, SpaceBefore: true } && Next.Is('/') && TryDigits() is { } top)
        {
            position++;
            if (Current.Kind == TokenKind.Number && TryDigits() is { IsZero: false } bottom && !Current.Is('^')) return new Literal(new Rational(whole, 1) + new Rational(top, bottom));
        }

        position = before;
        return null;
    }

    // Digits, in braces or not; without braces and after \frac, one digit. Leaves the tokens as they are where it fails.
    private BigInteger? TryDigits()
    {
        bool braces = TryTake('{');
        if (Current.Kind != TokenKind.Number || !Current.Text.All(char.IsAsciiDigit)) return null;
        if (!braces && Current.Text.Length > 1 && tokens[position - 1] is { Kind: not TokenKind.Symbol } and not { Kind: TokenKind.Number }) SplitNumber();
        var value = BigInteger.Parse(Take().Text);
        return !braces || TryTake('}') ? value : null;
    }

    // The first digit of a number becomes a token of its own.
    private void SplitNumber()
    {
        string digits = Current.Text;
        tokens[position] = Current with { Text = digits[..1] };
        tokens.Insert(position + 1, new Token(TokenKind.Number, digits[1..], false));
    }

    private bool StartsFactor()
    {
        var token = Current;
        return token.Kind switch
        {
            TokenKind.Number or TokenKind.Letter => true,
            // "5 min" and "5 sec" have no argument.
            TokenKind.Word => LatexVocabulary.Functions.ContainsKey(token.Text)
                ? Next.Kind != TokenKind.End && !IsSeparator(Next)
                : IsProductOfLetters(token.Text) && !UnitNames.IsUnit(token.Text),
            TokenKind.Command => token.Text is "frac" or "sqrt" or "binom" or "begin" or "sum" or "prod" || LatexVocabulary.Accents.Contains(token.Text),
            TokenKind.Symbol => token.Text[0] is '(' or '[' or '{' or '⌊' or '⌈' or '∞' || (token.Is('|') && bars == 0),
            _ => false,
        };
    }

    /// <summary>Whether several letters without a space are unknowns beside each other and not a word.</summary>
    private static bool IsProductOfLetters(string word) =>
        word.Length <= 6 && word is not ("and" or "or") && (word.Length <= 3 || !word.AsSpan().ContainsAnyInRange('a', 'z'));

    private Expression ParsePostfix()
    {
        Enter();
        bool letters = Current.Kind == TokenKind.Word;
        var value = ParsePrimary();
        // Of letters beside each other an exponent or factorial belongs to the last: ab^2.
        IReadOnlyList<Expression> before = [];
        if (letters && value is Product product) (before, value) = ([.. product.Factors.SkipLast(1)], product.Factors[^1]);
        for (int count = 0; ; count++)
        {
            if (count > 8) throw new VerificationLimitException("an answer has more than 8 exponents and factorials behind one another");
            if (Current.Is('!')) value = TakeFactorial(value);
            else if (TryTake('°')) value = new Call("degree", value);
            else if (TryTake('^')) value = new Power(value, ParseExponent());
            else break;
        }

        depth--;
        return before.Count == 0 ? value : new Product([.. before, value]);
    }

    private Call TakeFactorial(Expression value)
    {
        position++;
        return TryTake('!') ? new Call("doublefactorial", value) : new Call("factorial", value);
    }

    private Expression ParseExponent()
    {
        Enter();
        bool negative = TakeSigns();
        var exponent = ParsePrimary();
        if (TryTake('^')) exponent = new Power(exponent, ParseExponent());
        depth--;
        return negative ? Negate(exponent) : exponent;
    }

    // An argument of a command: a group, or what stands next; of digits the first where TeX would take it.
    private Expression ParseArgument(bool oneDigit)
    {
        if (oneDigit && Current.Kind == TokenKind.Number && Current.Text.Length > 1 && char.IsAsciiDigit(Current.Text[1])) SplitNumber();
        Enter();
        var argument = ParsePrimary();
        depth--;
        return argument;
    }

    /// <summary>A number token's value.</summary>
    private static Literal ParseNumber(string digits)
    {
        int power = digits.IndexOf('e', StringComparison.Ordinal), exponent = 0;
        if (power >= 0 && (!int.TryParse(digits[(power + 1)..], out exponent) || int.Abs(exponent) > LargestExponent))
            throw new VerificationLimitException($"a power of ten is above {LargestExponent}");
        string mantissa = power < 0 ? digits : digits[..power];
        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        int decimals = (point < 0 ? 0 : mantissa.Length - point - 1) - exponent;
        string all = mantissa.Replace(".", "", StringComparison.Ordinal);
        var value = all.Length == 0 ? BigInteger.Zero : BigInteger.Parse(all);
        var scale = BigInteger.Pow(10, int.Abs(decimals));
        var exact = decimals > 0 ? new Rational(value, scale) : new Rational(value * scale, 1);
        bool isDecimal = point >= 0 || power >= 0;
        return new Literal(exact, decimals, isDecimal ? int.Max(1, all.TrimStart('0').Length) : 0);
    }
}
