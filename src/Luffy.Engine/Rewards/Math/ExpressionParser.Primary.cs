using System.Numerics;
using System.Text;

namespace Luffy.Engine.Rewards.Math;

internal sealed partial class ExpressionParser
{
    private Expression ParsePrimary()
    {
        var token = Current;
        switch (token.Kind)
        {
            case TokenKind.Number:
                return ParseNumberWithTail();
            case TokenKind.Letter:
                position++;
                return ParseLetter(token.Text);
            case TokenKind.Word:
                position++;
                return ParseWord(token.Text);
            case TokenKind.Command:
                position++;
                return ParseCommand(token.Text);
            case TokenKind.Text when token.Text.Length == 1 && char.IsAsciiLetter(token.Text[0]):
                position++;
                return ParseLetter(token.Text);
            case TokenKind.Symbol:
                position++;
                return ParseSymbol(token.Text[0]);
            default:
                throw Unreadable("a number, a letter or a function");
        }
    }

    // Digits, with a base as index or repeating decimals.
    private Expression ParseNumberWithTail()
    {
        string digits = Take().Text;
        if (Current.Is('_'))
        {
            position++;
            return new BasedNumber(digits, ParseBase());
        }

        if (digits.Contains('.', StringComparison.Ordinal) && !digits.Contains('e', StringComparison.Ordinal) && TryTake('…')) return Continued(digits);
        bool point = Current.Is('.') && (Next.IsCommand("overline") || Next.IsCommand("dot"));
        if (point) position++;
        if (!(point || digits.Contains('.', StringComparison.Ordinal)) || !(Current.IsCommand("overline") || Current.IsCommand("dot"))) return ParseNumber(digits);
        position++;
        bool braces = TryTake('{');
        string period = Current.Kind == TokenKind.Number && Current.Text.All(char.IsAsciiDigit) ? Take().Text : throw Unreadable("repeating digits");
        if (braces) Expect('}');
        var start = ParseNumber(digits);
        return new Literal(start.Value + Repeated(period, int.Max(0, start.Decimals)));
    }

    // The period P of n digits behind d decimals adds P / ((10^n − 1)·10^d).
    private static Rational Repeated(string period, int decimals) =>
        new(BigInteger.Parse(period), (BigInteger.Pow(10, period.Length) - 1) * BigInteger.Pow(10, decimals));

    private int ParseBase()
    {
        bool braces = TryTake('{');
        var token = Take();
        if (braces) Expect('}');
        string[] words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
        int number = token.Kind == TokenKind.Number && int.TryParse(token.Text, out int value) ? value : Array.IndexOf(words, token.Text);
        return number is >= 2 and <= 36 ? number : throw new UnreadableAnswerException($"found '{token.Text}', expected a base from 2 to 36");
    }

    private Expression ParseLetter(string letter)
    {
        string name = letter + TakeIndex();
        if (name == "pi") return new Constant(ConstantKind.Pi);
        if (Current.Is('(') && IsApplication(name)) return new Call("f:" + name, ParseDelimited(')'));
        return name switch
        {
            "e" => new Constant(ConstantKind.E),
            "i" => new Constant(ConstantKind.ImaginaryUnit),
            _ => new Variable(name),
        };
    }

    // f(…), g(…), h(…), and any letter before a single letter or number in parentheses: x(t), I(0), P(A).
    private bool IsApplication(string name)
    {
        if (name[0] is 'f' or 'g' or 'h' && name.Length == 1) return true;
        if (name is "e" or "i") return false;
        int last = position + 2;
        return last < tokens.Count && tokens[last].Is(')') && tokens[position + 1].Kind is TokenKind.Letter or TokenKind.Number && tokens[position].Is('(') && tokens[last].Is(')');
    }

    // Primes and an index, as part of the name.
    private string TakeIndex()
    {
        if (!Current.Is('_') && !Current.Is('′') && !IsPrimePower()) return "";
        var name = new StringBuilder();
        for (int parts = 0; parts < 6; parts++)
        {
            if (TryTake('′')) name.Append('\'');
            else if (IsPrimePower()) TakePrimePower(name);
            else if (TryTake('_')) name.Append('_').Append(TakeIndexText());
            else break;
        }

        return name.ToString();
    }

    private bool IsPrimePower() => Current.Is('^') && (Next.Is('′') || (Next.Is('{') && tokens[int.Min(position + 2, tokens.Count - 1)].Is('′')));

    private void TakePrimePower(StringBuilder name)
    {
        position++;
        bool braces = TryTake('{');
        while (TryTake('′')) name.Append('\'');
        if (braces) Expect('}');
    }

    private string TakeIndexText()
    {
        if (!TryTake('{')) return Take() is { Kind: not TokenKind.End } single ? single.Text : throw Unreadable("an index");
        var index = new StringBuilder();
        for (int open = 1; ;)
        {
            var token = Take();
            if (token.Kind == TokenKind.End) throw Unreadable("'}'");
            if (token.Is('{')) open++;
            else if (token.Is('}') && --open == 0) return index.ToString();
            else index.Append(token.Text);
        }
    }

    private Expression ParseWord(string word)
    {
        if (LatexVocabulary.Functions.TryGetValue(word, out string? function)) return ParseFunction(function);
        if (!IsProductOfLetters(word)) throw new UnreadableAnswerException($"found '{word}', expected a formula");
        var factors = new List<Expression>();
        for (int i = 0; i < word.Length; i++)
            factors.Add(i == word.Length - 1 ? ParseLetter(word[i].ToString()) : word[i] switch
            {
                'e' => new Constant(ConstantKind.E),
                'i' => new Constant(ConstantKind.ImaginaryUnit),
                _ => new Variable(word[i].ToString()),
            });
        return new Product(factors);
    }

    private Expression ParseFunction(string function)
    {
        string? index = null;
        Expression? logarithmBase = null, power = null;
        for (int scripts = 0; scripts < 2; scripts++)
        {
            if (Current.Is('_') && function is "log" or "lg")
            {
                position++;
                logarithmBase = ParseArgument(oneDigit: false);
            }
            else if (Current.Is('_')) (position, index) = (position + 1, TakeIndexText());
            else if (TryTake('^')) power = ParseExponent();
        }

        if (index is not null) throw Unreadable("a function without an index");
        if (power is Literal { Value: var p } && p == -1 && function is "sin" or "cos" or "tan" or "cot" or "sec" or "csc") (function, power) = ("arc" + function, null);
        IReadOnlyList<Expression> arguments = Current.Is('(') ? ParseDelimited(')') : [ParseFunctionArgument(function)];
        Expression value = function switch
        {
            "sqrt" => new Call("root", arguments[0], new Literal(2)),
            "cbrt" => new Call("root", arguments[0], new Literal(3)),
            "exp" => new Power(new Constant(ConstantKind.E), arguments[0]),
            "lg" => new Call("logbase", arguments[0], logarithmBase ?? new Literal(10)),
            "log" when logarithmBase is not null => new Call("logbase", arguments[0], logarithmBase),
            "log" when arguments.Count == 2 => new Call("logbase", arguments[0], arguments[1]),
            _ => new Call(function, arguments),
        };
        return power is null ? value : new Power(value, power);
    }

    // \sin 2x, \ln x: factors beside each other up to the next function or operator; √ takes only one.
    private Expression ParseFunctionArgument(string function)
    {
        if (Current.Is('{') || function is "sqrt" or "cbrt") return ParsePostfix();
        Enter();
        bool negative = TakeSigns();
        var factors = new List<Expression> { ParsePostfix() };
        while (StartsFactor() && Current.Kind != TokenKind.Word && !Current.Is('(') && !Current.Is('[')
            && !(Current.Kind == TokenKind.Number && factors[^1] is Literal)) factors.Add(ParsePostfix());
        depth--;
        Expression argument = factors.Count == 1 ? factors[0] : new Product(factors);
        return negative ? Negate(argument) : argument;
    }

    private Expression ParseCommand(string command)
    {
        switch (command)
        {
            case "frac":
                var top = ParseArgument(oneDigit: true);
                return Quotient(top, ParseArgument(oneDigit: true));
            case "sqrt":
                Expression order = Current.Is('[') ? ParseRootOrder() : new Literal(2);
                return new Call("root", ParseArgument(oneDigit: false), order);
            case "binom":
                var upper = ParseArgument(oneDigit: true);
                return new Call("binom", upper, ParseArgument(oneDigit: true));
            case "begin":
                return ParseEnvironment();
            case "sum" or "prod":
                return ParseSeries(product: command == "prod");
        }

        if (!LatexVocabulary.Accents.Contains(command)) throw new UnreadableAnswerException($"found '\\{command}', which is not known here");
        string name = command + ":" + TakeIndexText() + TakeIndex();
        return new Variable(name);
    }

    private Expression ParseRootOrder()
    {
        position++;
        var order = ParseSum();
        Expect(']');
        return order;
    }

    private Expression ParseSymbol(char symbol)
    {
        switch (symbol)
        {
            case '(' or '[':
                return ParseBrackets(symbol);
            case '⟨':
                return new Collection(CollectionKind.Tuple, ParseDelimited('⟩', opened: true));
            case '⦃':
                return ParseBraces();
            case '{':
                return ParseGroup();
            case '|':
                return ParseBars();
            case '⌊':
                return new Call("floor", ParseDelimited('⌋', opened: true)[0]);
            case '⌈':
                return new Call("ceil", ParseDelimited('⌉', opened: true)[0]);
            case '∞':
                return new Constant(ConstantKind.Infinity);
            case 'ℝ':
                return new Constant(ConstantKind.Reals);
            case '∅':
                return new Collection(CollectionKind.Set, []);
            case '∠' or '△':
                return new Variable(symbol + TakeName());
            case 'ℤ' or 'ℕ' or 'ℚ' or 'ℂ':
                return new Variable(symbol.ToString());
            default:
                position--;
                throw Unreadable("a number, a letter or a function");
        }
    }

    // The letters of a figure: ∠ABC.
    private string TakeName()
    {
        var name = new StringBuilder();
        while (Current.Kind is TokenKind.Letter or TokenKind.Word) name.Append(Take().Text).Append(TakeIndex());
        return name.ToString();
    }
}
