using System.Text;

namespace Luffy.Engine.Rewards.Math;

internal sealed partial class ExpressionParser
{
    private const int MostItems = 200;

    /// <summary>Reads a whole answer: one element, or a list of them without an order.</summary>
    /// <param name="text">The answer without its box.</param>
    /// <param name="commasSeparate">Whether 1,234 is two numbers, where that is open.</param>
    /// <exception cref="UnreadableAnswerException">It is no formula.</exception>
    /// <exception cref="VerificationLimitException">It is beyond a bound.</exception>
    public static Expression Parse(ReadOnlySpan<char> text, bool commasSeparate)
    {
        var parser = new ExpressionParser(LatexTokenizer.Tokenize(text, commasSeparate));
        while (parser.TakeSeparator() || parser.TryTake('.')) { }
        var items = new List<Expression> { parser.ParseElement() };
        while (parser.TakeSeparator())
        {
            if (parser.Current.Kind == TokenKind.End) break;
            if (items.Count >= MostItems) throw new VerificationLimitException($"an answer lists more than {MostItems} items");
            items.Add(parser.ParseElement());
        }

        while (parser.TryTake('.')) { }
        if (parser.Current.Kind != TokenKind.End) throw parser.Unreadable("the end");
        return items.Count == 1 ? items[0] : new Collection(CollectionKind.List, items);
    }

    // A comma, a semicolon, "and", "or", a new line: any number of them in a row are one.
    private bool TakeSeparator()
    {
        bool found = false;
        for (; IsSeparator(Current); position++) found = true;
        return found;
    }

    private static bool IsSeparator(Token token) => token.Kind switch
    {
        TokenKind.Symbol => token.Text[0] is ',' or ';' or '\n' or '∨',
        TokenKind.Word => token.Text is "and" or "or",
        TokenKind.Text => token.Text.Trim(',', ';', ' ') is "and" or "or" or "" or "OR" or "AND",
        _ => false,
    };

    private bool AtElementEnd() =>
        Current.Kind == TokenKind.End || IsSeparator(Current) || (Current.Kind == TokenKind.Symbol && Current.Text[0] is ')' or ']' or '⦄' or '⟩' or '}' or '⌋' or '⌉' or '&')
        || (Current.Is('|') && bars > 0) || (Current.Is('.') && Next.Kind == TokenKind.End);

    private static bool IsRelation(Token token) => token.Kind == TokenKind.Symbol && token.Text[0] is '=' or '≠' or '<' or '>' or '≤' or '≥' or '∈' or '≡' or '≈';

    // One item: a chain of relations, a value with its unit, or words.
    private Expression ParseElement()
    {
        Enter();
        var sides = new List<Expression> { ParseSide(inRelation: false) };
        var operators = new List<char>();
        while (IsRelation(Current))
        {
            char symbol = Take().Text[0];
            if (symbol == '≈')
            {
                // What is before the sign is exact; only a bare name has its value behind.
                if (sides.Count > 1 || sides[0] is not (Variable or Phrase))
                {
                    ParseSide(inRelation: true);
                    continue;
                }

                symbol = '=';
            }

            if (sides.Count > 20) throw new VerificationLimitException("an answer has more than 20 relations in a chain");
            operators.Add(symbol);
            sides.Add(ParseSide(inRelation: true));
        }

        depth--;
        return operators.Count == 0 ? sides[0] : new Relation(sides, operators);
    }

    private Expression ParseSide(bool inRelation)
    {
        if (AtPhrase(inRelation)) return ParsePhrase();
        var first = ParseSet();
        if (Current.Is(':') && !AtElementEnd() && !(startsSet && first is not Literal))
        {
            var parts = new List<Expression> { first };
            while (TryTake(':')) parts.Add(ParseSet());
            first = new Ratio(parts);
        }

        if (first is Call { Function: "degree" } degrees) first = new Quantity(degrees.Arguments[0], UnitNames.Degree);
        else if (first is Product { Factors: [Literal { Value: var sign }, Call { Function: "degree" } below] } && sign == -1) first = new Quantity(Negate(below.Arguments[0]), UnitNames.Degree);
        return TakeUnit() is { } unit ? new Quantity(first is Quantity inner ? inner.Value : first, unit) : first;
    }

    // Words and not unknowns: text, or several letters that are neither a function nor a few unknowns.
    private bool AtPhrase(bool inRelation)
    {
        var token = Current;
        if (token.Kind == TokenKind.Text) return token.Text.Length > 1 || EndsAfter(1);
        if (token.Text is "the" or "The" or "a" or "A" or "an" or "An" && Next is { Kind: TokenKind.Word, SpaceBefore: true } && !IsProductOfLetters(Next.Text) && !LatexVocabulary.Functions.ContainsKey(Next.Text)) return true;
        if (token.Kind != TokenKind.Word || LatexVocabulary.Functions.ContainsKey(token.Text)) return false;
        // ABC alone may name a figure or an order: its letters do not change places. ab is a product, and so is each side of MR = MC.
        return !IsProductOfLetters(token.Text)
            || (depth == 1 && !inRelation && (token.Text.Length > 2 || char.IsAsciiLetterUpper(token.Text[0])) && EndsAfter(1) && !IsRelation(Next));
    }

    private bool EndsAfter(int count)
    {
        int before = position;
        position = int.Min(position + count, tokens.Count - 1);
        bool ends = AtElementEnd() || IsRelation(Current);
        position = before;
        return ends;
    }

    private Phrase ParsePhrase()
    {
        var text = new StringBuilder();
        while (!AtElementEnd() && !IsRelation(Current)) text.Append(Take().Text).Append(' ');
        return new Phrase(text.ToString());
    }

    // What follows a value up to the item's end: %, or words with powers and slashes.
    private string? TakeUnit()
    {
        if (AtElementEnd() || IsRelation(Current) || (startsSet && Current.Is(':'))) return null;
        if (Current.Kind == TokenKind.Command && Current.Text is "pmod" or "mod" or "bmod")
        {
            while (!AtElementEnd() || Current.Is(')') || Current.Is('}')) Take();
            return "mod";
        }

        if (!(Current.Kind is TokenKind.Text or TokenKind.Word || Current.Is('%'))) throw Unreadable("an operator or the end");
        var unit = new StringBuilder();
        for (int parts = 0; !AtElementEnd() && !IsRelation(Current); parts++)
        {
            if (parts > 20) throw Unreadable("a unit");
            var token = Take();
            bool fits = token.Kind is TokenKind.Text or TokenKind.Word or TokenKind.Letter || (token.Kind == TokenKind.Symbol && token.Text[0] is '%' or '/' or '*' or '.' or '°');
            if (fits) unit.Append(token.Kind == TokenKind.Symbol ? "" : " ").Append(token.Text);
            else if (token.Is('^')) unit.Append('^').Append(TakeUnitPower());
            else throw Unreadable("a unit");
        }

        return UnitNames.Normalize(unit.ToString());
    }

    private string TakeUnitPower()
    {
        bool braces = TryTake('{');
        string sign = TryTake('-') ? "-" : "";
        string power = Current.Kind == TokenKind.Number && Current.Text.Length == 1 ? Take().Text : throw Unreadable("a power of a unit");
        if (braces) Expect('}');
        return sign + power;
    }
}
