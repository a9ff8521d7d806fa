namespace Luffy.Engine.Rewards.Math;

/// <summary>Equations that give a name a value: <c>x = 5</c>, <c>f(x) = 2x</c>, <c>(x, y) = (1, 2)</c>.</summary>
internal static class Assignments
{
    /// <summary>What the name is given, or null where the equation does something else.</summary>
    public static Expression? Value(Relation relation)
    {
        if (relation.Operators.Any(symbol => symbol != '=')) return null;
        // x = y = 5 names two things.
        for (int i = 1; i < relation.Sides.Count - 1; i++)
            if (ExpressionEquality.HasUnknown(relation.Sides[i])) return null;
        if (IsName(relation.Sides[0])) return relation.Sides[^1];
        return relation.Sides.Count == 2 && IsName(relation.Sides[1]) && !ExpressionEquality.HasUnknown(relation.Sides[0]) ? relation.Sides[0] : null;
    }

    /// <summary>What a calculation without unknowns ends in: 5 of 2 + 3 = 5; null for other relations.</summary>
    public static Expression? Result(Relation relation) =>
        relation.Operators.All(symbol => symbol == '=') && !relation.Sides.Any(ExpressionEquality.HasUnknown) ? relation.Sides[^1] : null;

    /// <summary>Whether something can only be the name of a value: an unknown, a function of unknowns, a quotient of lengths, words.</summary>
    public static bool IsName(Expression expression) => expression switch
    {
        Variable or Phrase or Constant { Kind: ConstantKind.E or ConstantKind.ImaginaryUnit } => true,
        Call { Function: "abs", Arguments: [var inner] } => IsName(inner),
        Call call => call.Function.StartsWith("f:", StringComparison.Ordinal),
        Product product => product.Factors.All(factor => IsName(factor) || (factor is Power { Exponent: Literal { Value: var power } } inverse && power == -1 && IsName(inverse.Base))),
        Collection { Kind: CollectionKind.Tuple } tuple => tuple.Items.All(IsName),
        Ratio ratio => ratio.Parts.All(IsName),
        _ => false,
    };

    /// <summary>
    /// A name at the start of a list holds for the values behind it: x = 1, 2 is x = 1, x = 2. Tells whether every item gives a value to a name.
    /// </summary>
    public static (List<Expression> Items, bool Named) Spread(List<Expression> items)
    {
        if (items.Count == 0 || items[0] is not Relation first || Value(first) is null) return (items, false);
        // (x, y) = (1, 2)
        if (items.Count == 1 && first is { Operators: ['='], Sides: [Collection { Kind: CollectionKind.Tuple } unknowns, Collection { Kind: CollectionKind.Tuple } values] } && unknowns.Items.Count == values.Items.Count)
            return ([.. unknowns.Items.Zip(values.Items).Select(pair => new Relation([pair.First, pair.Second], ['=']))], true);
        var spread = new List<Expression> { first };
        var name = first;
        foreach (var item in items.Skip(1))
        {
            if (item is Relation { } next)
            {
                if (Value(next) is null) return (items, false);
                name = next;
            }

            spread.Add(item is Relation ? item : new Relation([name.Sides[0], item], ['=']));
        }

        return (spread, true);
    }

    /// <summary>The values of items that all give one.</summary>
    public static List<Expression> Values(List<Expression> items) => [.. items.Select(item => Value((Relation)item)!)];

    /// <summary>
    /// The values of items that give one each to different unknowns, as tuples: in the order of writing and in the alphabet's; null for other items.
    /// </summary>
    public static IReadOnlyList<Expression>[]? Orders(List<Expression> items)
    {
        var names = items.Select(item => ((item as Relation)?.Sides[0] as Variable)?.Name).ToList();
        if (names.Count < 2 || names.Contains(null) || names.Distinct().Count() < names.Count) return null;
        var values = Values(items);
        return [values, [.. values.Zip(names).OrderBy(value => value.Second, StringComparer.Ordinal).Select(value => value.First)]];
    }

    /// <summary>Several solutions for the same unknowns in the same order, as in x = 1, y = 2, x = 3, y = 4, as tuples; null where they are none.</summary>
    public static List<Expression>? Tuples(List<Expression> items)
    {
        var names = items.Select(item => (item as Relation)?.Sides[0] is Variable variable ? variable.Name : null).ToList();
        int size = names.IndexOf(names[0], 1);
        if (size < 2 || names.Count % size != 0 || names.Where((name, i) => name is null || name != names[i % size]).Any()) return null;
        return [.. Values(items).Chunk(size).Select(values => new Collection(CollectionKind.Tuple, values))];
    }
}
