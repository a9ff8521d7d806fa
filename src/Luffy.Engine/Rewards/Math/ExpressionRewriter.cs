namespace Luffy.Engine.Rewards.Math;

/// <summary>Makes expressions out of expressions.</summary>
internal static class ExpressionRewriter
{
    private const int MostVariants = 16;

    /// <summary>The same tree with some nodes replaced; what a replacement holds is not looked at again.</summary>
    /// <param name="expression">The tree.</param>
    /// <param name="replace">The replacement of a node, or null to keep it and look at its parts.</param>
    public static Expression Rewrite(Expression expression, Func<Expression, Expression?> replace)
    {
        if (replace(expression) is { } replaced) return replaced;
        IReadOnlyList<Expression> All(IReadOnlyList<Expression> parts) => [.. parts.Select(part => Rewrite(part, replace))];
        return expression switch
        {
            Sum sum => new Sum(All(sum.Terms)),
            Product product => new Product(All(product.Factors)),
            Power power => new Power(Rewrite(power.Base, replace), Rewrite(power.Exponent, replace)),
            Call call => new Call(call.Function, All(call.Arguments)),
            PlusMinus sign => new PlusMinus(Rewrite(sign.Operand, replace), sign.Number, sign.MinusFirst),
            Collection collection => new Collection(collection.Kind, All(collection.Items)),
            Matrix matrix => new Matrix([.. matrix.Rows.Select(All)]),
            SetOperation sets => new SetOperation(sets.Operator, Rewrite(sets.Left, replace), Rewrite(sets.Right, replace)),
            Relation relation => new Relation(All(relation.Sides), relation.Operators),
            Quantity quantity => new Quantity(Rewrite(quantity.Value, replace), quantity.Unit),
            Ratio ratio => new Ratio(All(ratio.Parts)),
            _ => expression,
        };
    }

    /// <summary>
    /// The items that an answer lists, each ± as two of them. Signs in one item are independent, unless it has a ∓: then all go together.
    /// </summary>
    /// <exception cref="VerificationLimitException">An item has more than four signs.</exception>
    public static List<Expression> Items(Expression answer)
    {
        var items = new List<Expression>();
        foreach (var item in answer is Collection { Kind: CollectionKind.List } list ? list.Items : [answer])
        {
            if (item is Collection { Kind: CollectionKind.List }) items.AddRange(Items(item));
            else if (item is Collection { Kind: CollectionKind.Set } set) items.Add(new Collection(CollectionKind.Set, [.. set.Items.SelectMany(Items)]));
            else items.AddRange(Variants(item));
        }

        return items;
    }

    private static IEnumerable<Expression> Variants(Expression item)
    {
        var signs = new SortedSet<int>();
        bool together = false;
        Rewrite(item, node =>
        {
            if (node is PlusMinus sign)
            {
                signs.Add(sign.Number);
                together |= sign.MinusFirst;
            }

            return null;
        });
        if (signs.Count == 0) return [item];
        var order = signs.ToList();
        int variants = together ? 2 : order.Count > 4 ? MostVariants + 1 : 1 << order.Count;
        if (variants > MostVariants) throw new VerificationLimitException("an answer has more than 4 signs ± in one item");
        return Enumerable.Range(0, variants).Select(choice => Resolve(item, sign => together ? choice == 1 : (choice >> order.IndexOf(sign) & 1) == 1));
    }

    private static Expression Resolve(Expression expression, Func<int, bool> takesSecond) => Rewrite(expression, node => node is PlusMinus sign
        ? (sign.MinusFirst != takesSecond(sign.Number) ? new Product([new Literal(-1), Resolve(sign.Operand, takesSecond)]) : Resolve(sign.Operand, takesSecond))
        : null);
}
