namespace Luffy.Engine.Rewards.Math;

/// <summary>A set of reals as disjoint intervals in ascending order; a point is an interval whose ends are one.</summary>
/// <param name="Intervals">The intervals.</param>
internal sealed record RealSet(IReadOnlyList<RealSet.Interval> Intervals)
{
    private const double Nearby = 1e-9;

    /// <summary>An end: as written, and its value.</summary>
    public readonly record struct End(Expression Expression, double Value)
    {
        /// <summary>Whether both are the same as far as doubles tell.</summary>
        public bool IsAt(End other) =>
            Value == other.Value || (double.IsFinite(Value) && double.IsFinite(other.Value) && double.Abs(Value - other.Value) <= Nearby * double.Max(1, double.Abs(Value)));
    }

    /// <summary>From low to high, each end in it or not.</summary>
    public readonly record struct Interval(End Low, End High, bool LowOpen, bool HighOpen);

    private static readonly End MinusInfinity = new(new Constant(ConstantKind.Infinity), double.NegativeInfinity);
    private static readonly End PlusInfinity = new(new Constant(ConstantKind.Infinity), double.PositiveInfinity);

    /// <summary>All reals.</summary>
    public static RealSet All { get; } = new([new Interval(MinusInfinity, PlusInfinity, true, true)]);

    /// <summary>Whether an expression is written as a set of reals rather than as a number, a point or a list.</summary>
    public static bool IsWrittenAsOne(Expression expression) => expression switch
    {
        Collection { Kind: CollectionKind.LeftOpen or CollectionKind.RightOpen } => true,
        Collection { Kind: CollectionKind.Bracketed, Items.Count: 2 } => true,
        Collection { Kind: CollectionKind.Tuple, Items: [var a, var b] } => ExpressionEquality.IsInfinite(a) || ExpressionEquality.IsInfinite(b),
        SetOperation or Constant { Kind: ConstantKind.Reals } => true,
        Relation relation => relation.Operators.Any(symbol => symbol is not ('=' or '≡')),
        _ => false,
    };

    /// <summary>The set that an expression describes, or null where it is none with known ends.</summary>
    public static RealSet? Of(Expression expression, ExpressionEquality numbers)
    {
        switch (expression)
        {
            case Constant { Kind: ConstantKind.Reals }: return All;
            case Collection { Kind: CollectionKind.Set } set: return OfPoints(set.Items, numbers);
            case Collection { Kind: CollectionKind.List } list: return OfList(list.Items, numbers);
            case Collection { Items: [var low, var high] } pair:
                return Between(low, high, pair.Kind is CollectionKind.Tuple or CollectionKind.LeftOpen, pair.Kind is CollectionKind.Tuple or CollectionKind.RightOpen, numbers);
            case SetOperation operation when Of(operation.Left, numbers) is { } left && Of(operation.Right, numbers) is { } right:
                return operation.Operator switch { '∪' => Union(left, right), '∩' => Intersection(left, right), _ => Intersection(left, Complement(right)) };
            case Relation { Operators: ['∈'] } membership: return Of(membership.Sides[1], numbers);
            case Relation relation: return OfInequality(relation, numbers);
            default: return null;
        }
    }

    /// <summary>Whether an inequality is one of an unknown's absolute value.</summary>
    public static bool IsOfAbsoluteValue(Expression expression) =>
        expression is Relation relation && relation.Sides.Any(side => side is Call { Function: "abs", Arguments: [Variable] });

    /// <summary>Of a set of absolute values, the numbers that have them.</summary>
    public RealSet OfBothSigns()
    {
        var zero = new End(new Literal(0), 0);
        var positive = Intersection(this, new([new Interval(zero, PlusInfinity, false, true)]));
        return Union(positive, new([.. positive.Intervals.Reverse().Select(i => new Interval(Opposite(i.High), Opposite(i.Low), i.HighOpen, i.LowOpen))]));
    }

    private static End Opposite(End end) =>
        new(end.Expression is Literal number ? new Literal(-number.Value) : new Product([new Literal(-1), end.Expression]), -end.Value);

    private static End? EndOf(Expression expression, ExpressionEquality numbers) =>
        numbers.RealValue(expression is Quantity { Unit: UnitNames.Degree } angle ? angle.Value : expression) is var value && !double.IsNaN(value) ? new End(expression, value) : null;

    private static RealSet? OfPoints(IReadOnlyList<Expression> items, ExpressionEquality numbers)
    {
        var points = new RealSet([]);
        foreach (var item in items)
        {
            if (EndOf(item, numbers) is not { } at) return null;
            points = Union(points, new([new Interval(at, at, false, false)]));
        }

        return points;
    }

    private static RealSet? OfList(IReadOnlyList<Expression> items, ExpressionEquality numbers)
    {
        RealSet? union = null, intersection = null;
        foreach (var item in items)
        {
            if (Of(item, numbers) is not { } part) return null;
            union = union is null ? part : Union(union, part);
            intersection = intersection is null ? part : Intersection(intersection, part);
        }

        // "x > 1 and x < 3" means both; nobody writes all reals in two parts.
        return union is { Intervals: [{ Low.Value: double.NegativeInfinity, High.Value: double.PositiveInfinity }] } ? intersection : union;
    }

    private static RealSet? Between(Expression low, Expression high, bool lowOpen, bool highOpen, ExpressionEquality numbers)
    {
        if (EndOf(low, numbers) is not { } from || EndOf(high, numbers) is not { } to || from.Value > to.Value) return null;
        if (from.Value == to.Value && (lowOpen || highOpen)) return null;
        return new([new Interval(from, to, lowOpen || double.IsInfinity(from.Value), highOpen || double.IsInfinity(to.Value))]);
    }

    // One unknown against numbers, alone on its side.
    private static RealSet? OfInequality(Relation relation, ExpressionEquality numbers)
    {
        int unknown = -1;
        for (int i = 0; i < relation.Sides.Count; i++)
        {
            if (relation.Sides[i] is Variable or Call { Arguments: [Variable] } && ExpressionEquality.HasUnknown(relation.Sides[i]))
            {
                if (unknown >= 0) return null;
                unknown = i;
            }
        }

        if (unknown < 0 || relation.Sides.Count > 3 || (relation.Sides.Count == 3 && unknown != 1)) return null;
        RealSet? set = All;
        for (int i = 0; i < relation.Operators.Count && set is not null; i++)
        {
            bool unknownFirst = i == unknown;
            var part = Half(relation.Operators[i], relation.Sides[unknownFirst ? i + 1 : i], unknownFirst, numbers);
            set = part is null ? null : Intersection(set, part);
        }

        return set;
    }

    private static RealSet? Half(char symbol, Expression bound, bool unknownFirst, ExpressionEquality numbers)
    {
        if (EndOf(bound, numbers) is not { } end) return null;
        if (symbol is '=' or '≠')
        {
            var point = new RealSet([new Interval(end, end, false, false)]);
            return symbol == '=' ? point : Complement(point);
        }

        if (symbol is not ('<' or '>' or '≤' or '≥')) return null;
        bool open = symbol is '<' or '>' || double.IsInfinity(end.Value);
        bool below = symbol is '<' or '≤' == unknownFirst;
        return new([below ? new Interval(MinusInfinity, end, true, open) : new Interval(end, PlusInfinity, open, true)]);
    }

    private static RealSet Union(RealSet left, RealSet right)
    {
        var merged = new List<Interval>();
        foreach (var next in left.Intervals.Concat(right.Intervals).OrderBy(i => i.Low.Value).ThenBy(i => i.LowOpen))
        {
            if (merged.Count > 0 && merged[^1] is var last && Touches(last, next))
            {
                bool same = last.High.IsAt(next.High);
                if (same) merged[^1] = last with { HighOpen = last.HighOpen && next.HighOpen };
                else if (next.High.Value > last.High.Value) merged[^1] = last with { High = next.High, HighOpen = next.HighOpen };
            }
            else
            {
                merged.Add(next);
            }
        }

        return new(merged);
    }

    private static bool Touches(Interval last, Interval next) =>
        next.Low.IsAt(last.High) ? !(last.HighOpen && next.LowOpen) : next.Low.Value < last.High.Value;

    private static RealSet Intersection(RealSet left, RealSet right)
    {
        var parts = new List<Interval>();
        foreach (var a in left.Intervals)
        {
            foreach (var b in right.Intervals)
            {
                bool sameLow = a.Low.IsAt(b.Low), sameHigh = a.High.IsAt(b.High);
                var part = new Interval(
                    sameLow || a.Low.Value > b.Low.Value ? a.Low : b.Low, sameHigh || a.High.Value < b.High.Value ? a.High : b.High,
                    sameLow ? a.LowOpen || b.LowOpen : a.Low.Value > b.Low.Value ? a.LowOpen : b.LowOpen,
                    sameHigh ? a.HighOpen || b.HighOpen : a.High.Value < b.High.Value ? a.HighOpen : b.HighOpen);
                bool point = part.Low.IsAt(part.High);
                if (point ? !part.LowOpen && !part.HighOpen : part.Low.Value < part.High.Value) parts.Add(part);
            }
        }

        return Union(new(parts), new([]));
    }

    private static RealSet Complement(RealSet set)
    {
        var gaps = new List<Interval>();
        var low = MinusInfinity;
        bool open = true;
        foreach (var interval in set.Intervals)
        {
            if (!double.IsNegativeInfinity(interval.Low.Value)) gaps.Add(new Interval(low, interval.Low, open, !interval.LowOpen));
            (low, open) = (interval.High, !interval.HighOpen);
        }

        if (!double.IsPositiveInfinity(low.Value)) gaps.Add(new Interval(low, PlusInfinity, open, true));
        return new(gaps);
    }
}
