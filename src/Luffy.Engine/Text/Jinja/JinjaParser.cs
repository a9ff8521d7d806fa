namespace Luffy.Engine.Text.Jinja;

/// <summary>Reads a template's statements.</summary>
internal sealed class JinjaParser
{
    private const int DeepestNesting = 100;

    private readonly JinjaTokens tokens;
    private readonly JinjaExpressionParser expressions;
    private int depth, loops;

    private JinjaParser(JinjaTokens tokens) => (this.tokens, expressions) = (tokens, new JinjaExpressionParser(tokens));

    /// <exception cref="LuffyException">The source is no Jinja template, or uses what this evaluator does not have; the message names it.</exception>
    public static Body Parse(string name, string source)
    {
        var parser = new JinjaParser(new JinjaTokens(name, new JinjaLexer(name, source).Read()));
        return parser.ReadBody(opener: "the template", line: 1);
    }

    // Reads up to a block whose first word is among the ends, and skips that word; to the end of the template where there are none.
    private Body ReadBody(string opener, int line, params string[] ends)
    {
        if (++depth > DeepestNesting) throw tokens.Fail($"blocks nest more than {DeepestNesting} deep");
        var statements = new List<JinjaStatement>();
        while (true)
        {
            var token = tokens.Current;
            switch (token.Kind)
            {
                case TokenKind.End:
                    if (ends.Length > 0) throw tokens.Fail($"'{opener}' of line {line} is never closed by '{ends[^1]}'");
                    depth--;
                    return new Body(statements);
                case TokenKind.Data:
                    tokens.Next();
                    statements.Add(new Text(token.Line, token.Text));
                    break;
                case TokenKind.VariableBegin:
                    tokens.Next();
                    var value = expressions.ReadTuple();
                    tokens.Skip(TokenKind.VariableEnd, "}}");
                    statements.Add(new Print(token.Line, value));
                    break;
                default:
                    tokens.Skip(TokenKind.BlockBegin, "{%");
                    if (tokens.Current.Kind == TokenKind.Name && ends.Contains(tokens.Current.Text))
                    {
                        depth--;
                        return new Body(statements);
                    }

                    statements.Add(ReadStatement(token.Line));
                    break;
            }
        }
    }

    private void EndTag() => tokens.Skip(TokenKind.BlockEnd, "%}");

    private JinjaStatement ReadStatement(int line)
    {
        string word = tokens.NextName("a statement");
        switch (word)
        {
            case "if": return ReadIf(line);
            case "for": return ReadFor(line);
            case "set": return ReadSet(line);
            case "macro": return ReadMacro(line);
            case "generation":
                EndTag();
                return new Block(line, ReadClosed("generation", line));
            case "filter":
                var filters = ReadFilters(first: true);
                EndTag();
                return new FilterBlock(line, ReadClosed("filter", line), filters);
            case "break" or "continue":
                if (loops == 0) throw tokens.Fail($"'{word}' stands outside a loop");
                EndTag();
                return new LeaveLoop(line, word == "break" ? Flow.Break : Flow.Continue);
            default:
                throw tokens.Fail(word.StartsWith("end", StringComparison.Ordinal) || word is "else" or "elif"
                    ? $"'{word}' closes nothing" : $"the statement '{word}' is not supported in chat templates");
        }
    }

    private Body ReadClosed(string word, int line)
    {
        var body = ReadBody(word, line, "end" + word);
        tokens.Next();
        EndTag();
        return body;
    }

    private If ReadIf(int line)
    {
        var branches = new List<(JinjaExpression, Body)>();
        while (true)
        {
            var condition = expressions.ReadTuple();
            EndTag();
            branches.Add((condition, ReadBody("if", line, "elif", "else", "endif")));
            string word = tokens.Next().Text;
            if (word == "elif") continue;
            EndTag();
            return new If(line, branches, word == "else" ? ReadClosed("if", line) : null);
        }
    }

    private For ReadFor(int line)
    {
        var target = ReadTarget(allowMember: false);
        tokens.Skip("in");
        var items = expressions.ReadOr();
        var condition = tokens.TrySkip("if") ? expressions.ReadExpression() : null;
        if (tokens.Current.Is("recursive")) throw tokens.Fail("a recursive for is not supported in chat templates");
        EndTag();
        loops++;
        var body = ReadBody("for", line, "else", "endfor");
        loops--;
        string word = tokens.Next().Text;
        EndTag();
        return new For(line, target, items, condition, body, word == "else" ? ReadClosed("for", line) : null);
    }

    private JinjaStatement ReadSet(int line)
    {
        var target = ReadTarget(allowMember: true);
        if (tokens.TrySkip("="))
        {
            var value = expressions.ReadTuple();
            EndTag();
            return new Set(line, target, value);
        }

        var filters = ReadFilters(first: false);
        EndTag();
        return new SetBlock(line, target, ReadClosed("set", line), filters);
    }

    private List<(string Name, ArgumentList Arguments)> ReadFilters(bool first)
    {
        var filters = new List<(string, ArgumentList)>();
        if (first) filters.Add(expressions.ReadFilter());
        while (tokens.TrySkip("|")) filters.Add(expressions.ReadFilter());
        return filters;
    }

    private AssignmentTarget ReadTarget(bool allowMember)
    {
        bool parenthesis = tokens.TrySkip("(");
        List<string> names = [tokens.NextName("a variable")];
        if (allowMember && tokens.TrySkip(".")) return new AssignmentTarget(names, tokens.NextName("a member"), false);
        bool unpacks = false;
        while (tokens.TrySkip(","))
        {
            unpacks = true;
            if (tokens.Current.Kind == TokenKind.Name && !tokens.Current.Is("in")) names.Add(tokens.NextName("a variable"));
        }

        if (parenthesis) tokens.Skip(")");
        return new AssignmentTarget(names, null, unpacks);
    }

    private Macro ReadMacro(int line)
    {
        string name = tokens.NextName("a macro");
        tokens.Skip("(");
        var parameters = new List<(string, JinjaExpression?)>();
        while (!tokens.TrySkip(")"))
        {
            if (parameters.Count > 0) tokens.Skip(",");
            string parameter = tokens.NextName("a parameter");
            var absent = tokens.TrySkip("=") ? expressions.ReadExpression() : null;
            if (absent is null && parameters.Count > 0 && parameters[^1].Item2 is not null)
                throw tokens.Fail($"the parameter '{parameter}' without a default stands after one that has one");
            parameters.Add((parameter, absent));
        }

        EndTag();
        int outer = loops;
        loops = 0;
        var body = ReadClosed("macro", line);
        loops = outer;
        return new Macro(line, name, parameters, body);
    }
}
