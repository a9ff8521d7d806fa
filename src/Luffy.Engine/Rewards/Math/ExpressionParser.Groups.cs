namespace Luffy.Engine.Rewards.Math;

internal sealed partial class ExpressionParser
{
    // The items up to a closing delimiter, which is taken.
    private List<Expression> ParseDelimited(char close, bool opened = false)
    {
        if (!opened) position++;
        var items = ParseItems();
        Expect(close);
        return items;
    }

    private List<Expression> ParseItems()
    {
        Enter();
        int outer = bars;
        bars = 0;
        var items = new List<Expression> { ParseElement() };
        while (TakeSeparator()) items.Add(ParseElement());
        bars = outer;
        depth--;
        return items;
    }

    // After ( or [: a group, a tuple, or an interval by its delimiters.
    private Expression ParseBrackets(char open)
    {
        var items = ParseItems();
        bool round = TryTake(')');
        if (!round) Expect(']');
        if (items.Count == 1)
            return (open == '(') == round ? items[0] : throw new UnreadableAnswerException("an interval has two ends");
        var kind = (open, round) switch
        {
            ('(', true) => CollectionKind.Tuple,
            ('(', false) => CollectionKind.LeftOpen,
            ('[', true) => CollectionKind.RightOpen,
            _ => CollectionKind.Bracketed,
        };
        if (kind is CollectionKind.LeftOpen or CollectionKind.RightOpen && items.Count != 2) throw new UnreadableAnswerException("an interval has two ends");
        return new Collection(kind, items);
    }

    private Expression ParseBraces()
    {
        if (TryTake('⦄')) return new Collection(CollectionKind.Set, []);
        bars++;
        Enter();
        startsSet = true;
        var first = ParseElement();
        startsSet = false;
        if (TryTake('|') || TryTake(':'))
        {
            // {x | x > 3}: the condition is what counts.
            var condition = ParseElement();
            bars--;
            depth--;
            Expect('⦄');
            return condition is Relation && first is Variable or Relation ? condition : throw Unreadable("a condition");
        }

        var items = new List<Expression> { first };
        while (TakeSeparator()) items.Add(ParseElement());
        bars--;
        depth--;
        Expect('⦄');
        return new Collection(CollectionKind.Set, items);
    }

    private Expression ParseGroup()
    {
        if (TryTake('}')) throw new UnreadableAnswerException("found '{}', expected something in it");
        var items = ParseItems();
        if (Current.IsCommand("choose") || Current.IsCommand("over"))
        {
            bool choose = Take().IsCommand("choose");
            var bottom = ParseItems();
            Expect('}');
            return choose ? new Call("binom", items[0], bottom[0]) : Quotient(items[0], bottom[0]);
        }

        Expect('}');
        return items.Count == 1 ? items[0] : new Collection(CollectionKind.List, items);
    }

    private Call ParseBars()
    {
        Enter();
        bars++;
        var content = ParseSum();
        bars--;
        depth--;
        Expect('|');
        return new Call("abs", content);
    }

    // After \begin: a matrix, or an array in brackets; other environments are no answer.
    private Expression ParseEnvironment()
    {
        string name = TakeEnvironmentName();
        if (name == "array")
        {
            if (Current.Is('{')) TakeIndexText();
        }
        else if (name is not ("matrix" or "pmatrix" or "bmatrix" or "vmatrix" or "Bmatrix" or "Vmatrix" or "smallmatrix"))
        {
            throw new UnreadableAnswerException($"found an environment '{name}', expected a matrix");
        }

        var rows = new List<IReadOnlyList<Expression>>();
        Enter();
        while (!Current.IsCommand("end"))
        {
            var row = new List<Expression> { ParseEntry() };
            while (TryTake('&')) row.Add(ParseEntry());
            rows.Add(row);
            if (!TryTake('\n') && !Current.IsCommand("end")) throw Unreadable("the end of a row");
        }

        depth--;
        position++;
        if (TakeEnvironmentName() != name) throw new UnreadableAnswerException("a matrix ends under another name");
        if (rows.Count == 0 || rows.Any(row => row.Count != rows[0].Count)) throw new UnreadableAnswerException("the rows of a matrix differ in length");
        var matrix = new Matrix(rows);
        return name is "vmatrix" ? new Call("det", matrix) : matrix;
    }

    private Expression ParseEntry()
    {
        int outer = bars;
        bars = 0;
        var entry = ParseSet();
        bars = outer;
        return entry;
    }

    private string TakeEnvironmentName()
    {
        if (!Current.Is('{')) throw Unreadable("an environment");
        return TakeIndexText();
    }
}
