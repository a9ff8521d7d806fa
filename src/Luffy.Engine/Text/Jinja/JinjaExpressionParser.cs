using System.Globalization;

namespace Luffy.Engine.Text.Jinja;

/// <summary>Reads expressions, weakest binding first: inline if, or, and, not, comparison, + −, ~, * / // %, **, unary, then . [] () | is.</summary>
internal sealed class JinjaExpressionParser(JinjaTokens tokens)
{
    // Deeper than any template written by hand; keeps a hostile one from overflowing the stack.
    private const int DeepestNesting = 200;
    private int depth;

    public JinjaExpression ReadExpression()
    {
        if (++depth > DeepestNesting) throw tokens.Fail($"expressions nest more than {DeepestNesting} deep");
        var value = ReadOr();
        while (tokens.TrySkip("if"))
        {
            var condition = ReadOr();
            var otherwise = tokens.TrySkip("else") ? ReadExpression() : null;
            value = new Conditional(condition, value, otherwise);
        }

        depth--;
        return value;
    }

    /// <summary>An expression, or several with commas between as a tuple.</summary>
    public JinjaExpression ReadTuple()
    {
        var first = ReadExpression();
        if (!tokens.Current.Is(",")) return first;
        List<JinjaExpression> items = [first];
        while (tokens.TrySkip(","))
        {
            if (tokens.Current.Kind is TokenKind.BlockEnd or TokenKind.VariableEnd || tokens.Current.Is(")")) break;
            items.Add(ReadExpression());
        }

        return new TupleLiteral(items);
    }

    /// <summary>An expression without an inline if, as the items of a for have it.</summary>
    public JinjaExpression ReadOr()
    {
        var left = ReadAnd();
        while (tokens.TrySkip("or")) left = new Binary("or", left, ReadAnd());
        return left;
    }

    private JinjaExpression ReadAnd()
    {
        var left = ReadNot();
        while (tokens.TrySkip("and")) left = new Binary("and", left, ReadNot());
        return left;
    }

    private JinjaExpression ReadNot()
    {
        if (!tokens.TrySkip("not")) return ReadComparison();
        if (++depth > DeepestNesting) throw tokens.Fail($"expressions nest more than {DeepestNesting} deep");
        var operand = ReadNot();
        depth--;
        return new Unary("not", operand);
    }

    private JinjaExpression ReadComparison()
    {
        var first = ReadBinary(0);
        var links = new List<(string, JinjaExpression)>();
        while (true)
        {
            string symbol = tokens.Current.Text;
            if (tokens.Current.Kind == TokenKind.Operator && symbol is "==" or "!=" or "<" or "<=" or ">" or ">=")
            {
                tokens.Next();
            }
            else if (tokens.Current.Is("in"))
            {
                tokens.Next();
            }
            else if (tokens.Current.Is("not") && tokens.Following.Is("in"))
            {
                tokens.Next();
                tokens.Next();
                symbol = "not in";
            }
            else
            {
                return links.Count == 0 ? first : new Comparison(first, links);
            }

            links.Add((symbol, ReadBinary(0)));
        }
    }

    private static readonly string[][] BinaryLevels = [["+", "-"], ["~"], ["*", "/", "//", "%"], ["**"]];

    private JinjaExpression ReadBinary(int level)
    {
        if (level == BinaryLevels.Length) return ReadUnary(withFilters: true);
        var left = ReadBinary(level + 1);
        while (tokens.Current.Kind == TokenKind.Operator && BinaryLevels[level].Contains(tokens.Current.Text))
            left = new Binary(tokens.Next().Text, left, ReadBinary(level + 1));
        return left;
    }

    private JinjaExpression ReadUnary(bool withFilters)
    {
        JinjaExpression value;
        if (tokens.Current.Kind == TokenKind.Operator && tokens.Current.Text is "-" or "+")
        {
            if (++depth > DeepestNesting) throw tokens.Fail($"expressions nest more than {DeepestNesting} deep");
            value = new Unary(tokens.Next().Text, ReadUnary(withFilters: false));
            depth--;
        }
        else
        {
            value = ReadPrimary();
        }

        value = ReadPostfix(value);
        return withFilters ? ReadFiltersAndTests(value) : value;
    }

    private JinjaExpression ReadPrimary()
    {
        var token = tokens.Next();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new Literal(true),
                    "false" or "False" => new Literal(false),
                    "none" or "None" => new Literal(null),
                    _ => new Name(token.Text),
                };
            case TokenKind.String:
                string text = token.Text;
                while (tokens.Current.Kind == TokenKind.String) text += tokens.Next().Text;
                return new Literal(text);
            case TokenKind.Integer:
                return long.TryParse(token.Text, NumberStyles.None, CultureInfo.InvariantCulture, out long whole)
                    ? new Literal(whole) : throw tokens.Fail($"the integer {token.Text} is beyond 64 bits");
            case TokenKind.Float:
                return double.TryParse(token.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
                    ? new Literal(number) : throw tokens.Fail($"'{token.Text}' is no number");
            case TokenKind.Operator when token.Text == "(":
                if (tokens.TrySkip(")")) return new TupleLiteral([]);
                var inner = ReadTuple();
                tokens.Skip(")");
                return inner;
            case TokenKind.Operator when token.Text == "[":
                return new ListLiteral(ReadUntil("]", ReadExpression));
            case TokenKind.Operator when token.Text == "{":
                return new MappingLiteral(ReadUntil("}", () =>
                {
                    var key = ReadExpression();
                    tokens.Skip(":");
                    return (key, ReadExpression());
                }));
            default:
                throw tokens.Fail($"found {token.Shown}, expected an expression");
        }
    }

    private List<T> ReadUntil<T>(string end, Func<T> read)
    {
        var items = new List<T>();
        while (!tokens.TrySkip(end))
        {
            if (items.Count > 0)
            {
                tokens.Skip(",");
                if (tokens.TrySkip(end)) break;
            }

            items.Add(read());
        }

        return items;
    }

    private JinjaExpression ReadPostfix(JinjaExpression value)
    {
        while (true)
        {
            if (tokens.TrySkip("."))
            {
                var name = tokens.Next();
                value = name.Kind switch
                {
                    TokenKind.Name => new Member(value, name.Text),
                    TokenKind.Integer => new Item(value, new Literal(long.Parse(name.Text, CultureInfo.InvariantCulture))),
                    _ => throw tokens.Fail($"found {name.Shown}, expected a name after '.'"),
                };
            }
            else if (tokens.TrySkip("["))
            {
                value = ReadSubscript(value);
            }
            else if (tokens.Current.Is("("))
            {
                value = new Call(value, ReadArguments());
            }
            else
            {
                return value;
            }
        }
    }

    private JinjaExpression ReadSubscript(JinjaExpression target)
    {
        JinjaExpression? start = tokens.Current.Is(":") ? null : ReadExpression();
        if (!tokens.TrySkip(":"))
        {
            tokens.Skip("]");
            return new Item(target, start!);
        }

        JinjaExpression? stop = tokens.Current.Is(":") || tokens.Current.Is("]") ? null : ReadExpression();
        JinjaExpression? step = tokens.TrySkip(":") && !tokens.Current.Is("]") ? ReadExpression() : null;
        tokens.Skip("]");
        return new Slice(target, start, stop, step);
    }

    /// <summary>Arguments in parentheses; the current token is the opening one.</summary>
    public ArgumentList ReadArguments()
    {
        tokens.Skip("(");
        var positional = new List<JinjaExpression>();
        var named = new List<(string, JinjaExpression)>();
        ReadUntil<object?>(")", () =>
        {
            if (tokens.Current.Is("*") || tokens.Current.Is("**")) throw tokens.Fail("unpacking arguments with * is not supported");
            if (tokens.Current.Kind == TokenKind.Name && tokens.Following.Is("="))
            {
                string name = tokens.Next().Text;
                tokens.Skip("=");
                if (named.Any(n => n.Item1 == name)) throw tokens.Fail($"the argument '{name}' is given twice");
                named.Add((name, ReadExpression()));
            }
            else
            {
                if (named.Count > 0) throw tokens.Fail("a positional argument stands after a named one");
                positional.Add(ReadExpression());
            }

            return null;
        });
        return new ArgumentList(positional, named);
    }

    /// <summary>The name of a filter and its arguments.</summary>
    public (string Name, ArgumentList Arguments) ReadFilter()
    {
        string name = tokens.NextName("a filter");
        if (!JinjaFilters.Knows(name)) throw tokens.Fail($"the filter '{name}' is not supported");
        return (name, tokens.Current.Is("(") ? ReadArguments() : ArgumentList.None);
    }

    private JinjaExpression ReadFiltersAndTests(JinjaExpression value)
    {
        while (true)
        {
            if (tokens.TrySkip("|"))
            {
                var (name, arguments) = ReadFilter();
                value = new Filter(value, name, arguments);
            }
            else if (tokens.TrySkip("is"))
            {
                value = ReadTest(value);
            }
            else if (tokens.Current.Is("("))
            {
                value = new Call(value, ReadArguments());
            }
            else
            {
                return value;
            }
        }
    }

    private JinjaExpression ReadTest(JinjaExpression value)
    {
        bool negated = tokens.TrySkip("not");
        string name = tokens.NextName("a test");
        if (!JinjaTests.Knows(name)) throw tokens.Fail($"the test '{name}' is not supported");
        var arguments = ArgumentList.None;
        var next = tokens.Current;
        if (next.Is("("))
            arguments = ReadArguments();
        else if (next.Kind is TokenKind.String or TokenKind.Integer or TokenKind.Float || next.Is("[") || next.Is("{")
            || (next.Kind == TokenKind.Name && next.Text is not ("else" or "or" or "and" or "is" or "if" or "in" or "not")))
            arguments = new ArgumentList([ReadPostfix(ReadPrimary())], []);
        JinjaExpression test = new Test(value, name, arguments);
        return negated ? new Unary("not", test) : test;
    }
}
