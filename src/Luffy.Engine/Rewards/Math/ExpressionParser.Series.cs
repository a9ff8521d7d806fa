namespace Luffy.Engine.Rewards.Math;

internal sealed partial class ExpressionParser
{
    /// <summary>The functions that sums and products with open limits become; their arguments are the term, both limits and the index.</summary>
    internal const string SumFunction = "f:sum", ProductFunction = "f:product";

    private const int MostTerms = 200, MostNodes = 2000, MostSeries = 6;

    private int series;

    // \sum_{k=1}^{n} a_k, the limits in either order: what it adds up where its limits are integers, else a function of term and limits.
    private Expression ParseSeries(bool product)
    {
        Enter();
        if (++series > MostSeries) throw new VerificationLimitException($"an answer has more than {MostSeries} sums and products with limits");
        string? index = null;
        Expression? low = null, high = null;
        for (int scripts = 0; scripts < 2; scripts++)
        {
            if (TryTake('^')) high = ParseExponent();
            else if (TryTake('_'))
            {
                Expect('{');
                index = Current.Kind == TokenKind.Letter ? Take().Text : throw Unreadable("an index of a sum");
                Expect('=');
                low = ParseSum();
                Expect('}');
            }
        }

        if (index is null || low is null || high is null) throw Unreadable("the limits of a sum");
        var term = ParseProduct();
        depth--;
        if (IndicesWith(index, term, out bool plain) && !plain) return new Call($"{(product ? ProductFunction : SumFunction)}:{index}", term, low, high);
        if (low is Literal { Value: { IsInteger: true } from } && high is Literal { Value: { IsInteger: true } to } && Terms(index, term, from, to) is { Count: > 0 } terms)
            return terms.Count == 1 ? terms[0] : product ? new Product(terms) : new Sum(terms);
        if (IndicesWith(index, term, out _)) return new Call($"{(product ? ProductFunction : SumFunction)}:{index}", term, low, high);
        // The index has a name of its own, so that it matters as little as its letter.
        var bound = new Variable("#" + Height(term));
        return new Call(product ? ProductFunction : SumFunction, With(index, term, bound, null), low, high, bound);
    }

    private static List<Expression>? Terms(string index, Expression term, Rational from, Rational to)
    {
        var count = (to - from).Numerator + 1;
        if (count > MostTerms || count * Size(term) > MostNodes) return null;
        var terms = new List<Expression>();
        for (int i = 0; i < (int)count; i++) terms.Add(With(index, term, new Literal(from + i), (from + i).ToString()));
        return terms;
    }

    // Whether names in a term have the sum's index in theirs: a_k; and whether all of them have nothing else there.
    private static bool IndicesWith(string index, Expression term, out bool plain)
    {
        bool any = false, all = true;
        ExpressionRewriter.Rewrite(term, node =>
        {
            if (node is not Variable { Name: var name } || name.IndexOf('_', StringComparison.Ordinal) is not (> 0 and var at) || !name.AsSpan(at + 1).Contains(index, StringComparison.Ordinal)) return null;
            any = true;
            all &= name.AsSpan(at + 1).SequenceEqual(index);
            return null;
        });
        plain = all;
        return any;
    }

    private static Expression With(string index, Expression term, Expression value, string? written) => ExpressionRewriter.Rewrite(term, node => node switch
    {
        Variable variable when variable.Name == index => value,
        Constant { Kind: ConstantKind.ImaginaryUnit } when index == "i" => value,
        Variable variable when written is not null && variable.Name.EndsWith("_" + index, StringComparison.Ordinal) => new Variable(variable.Name[..^index.Length] + written),
        _ => null,
    });

    private static int Size(Expression expression)
    {
        int size = 0;
        ExpressionRewriter.Rewrite(expression, _ =>
        {
            size++;
            return null;
        });
        return size;
    }

    // How many sums are within one another.
    private static int Height(Expression expression)
    {
        int height = 0;
        ExpressionRewriter.Rewrite(expression, node =>
        {
            if (node is Variable { Name: ['#', .. var number] }) height = int.Max(height, int.Parse(number) + 1);
            return null;
        });
        return height;
    }

    // 0.333…: digits that come twice at the end go on for ever; others are those of a number that is not told.
    private static Literal Continued(string digits)
    {
        var start = ParseNumber(digits);
        string decimals = digits[(digits.IndexOf('.', StringComparison.Ordinal) + 1)..];
        for (int period = 1; 2 * period <= decimals.Length && period <= 12; period++)
            if (decimals.AsSpan()[^period..].SequenceEqual(decimals.AsSpan()[^(2 * period)..^period]))
                return new Literal(start.Value + Repeated(decimals[^period..], decimals.Length), start.Decimals, start.Significant);
        return start;
    }
}
