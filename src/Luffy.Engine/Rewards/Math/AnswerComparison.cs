using System.Numerics;

namespace Luffy.Engine.Rewards.Math;

/// <summary>
/// Whether an answer says what the gold answer says. It is not symmetric: the gold answer decides whether order, a name or a base matters.
/// </summary>
internal sealed class AnswerComparison(VerificationBudget budget)
{
    private static readonly string[] EmptySets = ["no solution", "no solutions", "none", "empty set", "the empty set"];

    private static readonly string[] Reals = ["all real numbers", "all reals", "any real number", "real numbers", "all real values", "all real numbers x"];

    private readonly ExpressionEquality numbers = new(budget);

    /// <summary>Compares whole answers.</summary>
    /// <exception cref="VerificationLimitException">A bound is passed.</exception>
    public bool AreEqual(Expression gold, Expression answer)
    {
        if (CompareSets(gold, answer) is { } sameSet) return sameSet;
        (gold, answer) = (Members(gold), Members(answer));
        var (golds, goldNamed) = Assignments.Spread(ExpressionRewriter.Items(gold));
        var (answers, answerNamed) = Assignments.Spread(ExpressionRewriter.Items(answer));
        if (goldNamed != answerNamed)
        {
            if (answers is [Collection { Kind: CollectionKind.Tuple } pair] && Assignments.Orders(golds) is { } orders) return orders.Any(order => InOrder(order, pair.Items));
            if (golds is [Collection { Kind: CollectionKind.Tuple } wanted] && Assignments.Orders(answers) is { } found) return found.Any(order => InOrder(wanted.Items, order));
            if (goldNamed && !answers.Any(item => item is Relation)) golds = Assignments.Tuples(golds) ?? Assignments.Values(golds);
            else if (answerNamed && !golds.Any(item => item is Relation)) answers = Assignments.Tuples(answers) ?? Assignments.Values(answers);
        }

        return (golds, answers) switch
        {
            ([var one], [var other]) => AreSameItem(one, other),
            ([Collection { Kind: CollectionKind.Tuple } tuple], _) => InOrder(tuple.Items, answers),
            ([Collection { Kind: CollectionKind.Set } set], _) => WithoutOrder(set.Items, answers),
            (_, [Collection { Kind: CollectionKind.Tuple or CollectionKind.Bracketed or CollectionKind.Set } collection]) => WithoutOrder(golds, collection.Items),
            _ => WithoutOrder(golds, answers),
        };
    }

    // x ∈ {1, 2} says what {1, 2} does.
    private static Expression Members(Expression expression) =>
        expression is Relation { Operators: ['∈'], Sides: [_, Collection { Kind: CollectionKind.Set } set] } ? set : expression;

    private bool InOrder(IReadOnlyList<Expression> golds, IReadOnlyList<Expression> answers)
    {
        if (golds.Count != answers.Count) return false;
        for (int i = 0; i < golds.Count; i++)
            if (!AreSameItem(golds[i], answers[i])) return false;
        return true;
    }

    // Each of the gold items has an answer of its own. A list is a set: solutions named twice are one.
    private bool WithoutOrder(IReadOnlyList<Expression> golds, IReadOnlyList<Expression> answers)
    {
        (golds, answers) = (Distinct(golds), Distinct(answers));
        if (golds.Count != answers.Count) return false;
        var left = answers.ToList();
        foreach (var gold in golds)
        {
            int found = left.FindIndex(answer => AreSameItem(gold, answer));
            if (found < 0) return false;
            left.RemoveAt(found);
        }

        return true;
    }

    private List<Expression> Distinct(IReadOnlyList<Expression> items)
    {
        var distinct = new List<Expression>();
        foreach (var item in items)
            if (!distinct.Any(other => AreSameItem(other, item))) distinct.Add(item);
        return distinct;
    }

    private bool AreSameItem(Expression gold, Expression answer)
    {
        budget.Spend();
        (gold, answer) = (AsReals(gold), AsReals(answer));
        if (CompareSets(gold, answer) is { } sameSet) return sameSet;
        switch (gold, answer)
        {
            case (Relation a, Relation b):
                return new RelationEquality(numbers, AreSameItem).AreEqual(a, b);
            case (Relation a, _):
                return Assignments.Value(a) is { } goldValue && AreSameItem(goldValue, answer);
            case (_, Relation b):
                return (Assignments.Value(b) ?? Assignments.Result(b)) is { } value && AreSameItem(gold, value);
            case (Phrase a, Phrase b):
                return SameWords(a.Text, b.Text) || (SaysNothing(a.Text) && SaysNothing(b.Text));
            case (Phrase words, Collection { Kind: CollectionKind.Set, Items.Count: 0 }):
                return SaysNothing(words.Text);
            case (Collection { Kind: CollectionKind.Set, Items.Count: 0 }, Phrase words):
                return SaysNothing(words.Text);
            case (Phrase, _) or (_, Phrase):
                return false;
            case (Quantity, _) or (_, Quantity):
                return SameQuantity(gold, answer);
            case (BasedNumber, _) or (_, BasedNumber):
                return SameBasedNumber(gold, answer);
            case (Ratio a, Ratio b):
                return SameRatio(a.Parts, b.Parts);
            case (SetOperation a, SetOperation b):
                return a.Operator == b.Operator && ((AreSameItem(a.Left, b.Left) && AreSameItem(a.Right, b.Right))
                    || (a.Operator != '∖' && AreSameItem(a.Left, b.Right) && AreSameItem(a.Right, b.Left)));
        }

        if (gold is Matrix matrix) return SameMatrix(matrix, answer);
        if (answer is Matrix other) return SameMatrix(other, gold);
        if (gold is Collection || answer is Collection) return SameCollection(gold, answer);
        return SameNumber(gold, answer);
    }

    // Null where not both are sets of reals, one of them written as such.
    private bool? CompareSets(Expression gold, Expression answer)
    {
        bool IsOne(Expression e) => RealSet.IsWrittenAsOne(e)
            || (e is Collection { Kind: CollectionKind.List } list && list.Items.All(RealSet.IsWrittenAsOne) && list.Items.Any(item => item is Relation));
        if (!IsOne(gold) && !IsOne(answer)) return null;
        if (RealSet.Of(gold, numbers) is not { } a || RealSet.Of(answer, numbers) is not { } b) return null;
        // A gold answer 1 ≤ |x| ≤ 2 may be solved for x; an answer that repeats it unsolved equals no other.
        if (RealSet.IsOfAbsoluteValue(gold)) (a, b) = (a.OfBothSigns(), RealSet.IsOfAbsoluteValue(answer) ? b.OfBothSigns() : b);
        if (a.Intervals.Count != b.Intervals.Count) return false;
        return a.Intervals.Zip(b.Intervals).All(pair => pair.First.LowOpen == pair.Second.LowOpen && pair.First.HighOpen == pair.Second.HighOpen
            && SameEnd(pair.First.Low, pair.Second.Low) && SameEnd(pair.First.High, pair.Second.High));
    }

    private bool SameEnd(RealSet.End gold, RealSet.End answer) =>
        double.IsInfinity(gold.Value) || double.IsInfinity(answer.Value) ? gold.Value == answer.Value : AreSameItem(gold.Expression, answer.Expression);

    private static bool SameWords(string gold, string answer)
    {
        static string Bare(string text) => string.Concat(WithoutArticle(text.Trim()).Where(char.IsLetterOrDigit));
        return Bare(gold) is { Length: > 0 } words && words.Equals(Bare(answer), StringComparison.OrdinalIgnoreCase);
    }

    // The circle, a circle and circle are one.
    private static string WithoutArticle(string text)
    {
        int space = text.IndexOf(' ', StringComparison.Ordinal);
        return space > 0 && text[..space].ToUpperInvariant() is "THE" or "A" or "AN" ? text[space..] : text;
    }

    private static Expression AsReals(Expression expression) =>
        expression is Phrase phrase && Reals.Any(words => SameWords(phrase.Text, words)) ? new Constant(ConstantKind.Reals) : expression;

    private static bool SaysNothing(string text) => EmptySets.Any(words => SameWords(text, words));

    // A unit on one side only says nothing; two different ones disagree. 50% is 50, 0.5 or 1/2; 90° is 90 or π/2.
    private bool SameQuantity(Expression gold, Expression answer)
    {
        var (goldValue, goldUnit) = gold is Quantity a ? (a.Value, a.Unit) : (gold, "");
        var (answerValue, answerUnit) = answer is Quantity b ? (b.Value, b.Unit) : (answer, "");
        var degree = new Product([new Constant(ConstantKind.Pi), new Literal(new Rational(1, 180))]);
        if ((goldUnit, answerUnit) is (UnitNames.Degree, UnitNames.Radian)) return AreSameItem(Scaled(goldValue, degree), answerValue);
        if ((goldUnit, answerUnit) is (UnitNames.Radian, UnitNames.Degree)) return AreSameItem(goldValue, Scaled(answerValue, degree));
        if (goldUnit.Length > 0 && answerUnit.Length > 0 && goldUnit != answerUnit) return false;
        if (AreSameItem(goldValue, answerValue)) return true;
        if (goldUnit == answerUnit) return false;
        Expression? scale = (goldUnit + answerUnit) switch
        {
            UnitNames.Percent => new Literal(new Rational(1, 100)),
            UnitNames.Degree => degree,
            _ => null,
        };
        if (scale is null) return false;
        return goldUnit.Length > 0 ? AreSameItem(Scaled(goldValue, scale), answerValue) : AreSameItem(goldValue, Scaled(answerValue, scale));
    }

    private static Expression Scaled(Expression value, Expression scale) =>
        value is Literal number && scale is Literal factor ? new Literal(number.Value * factor.Value) : new Product([value, scale]);

    // The gold answer's base may be left out; a number without one is decimal.
    private bool SameBasedNumber(Expression gold, Expression answer) => (gold, answer) switch
    {
        (BasedNumber a, BasedNumber b) => a.Base == b.Base && a.Digits.TrimStart('0') == b.Digits.TrimStart('0'),
        (BasedNumber a, Literal { Significant: 0 } b) => b.Value.ToString() == a.Digits.TrimStart('0'),
        (_, BasedNumber b) => DecimalValue(b) is { } value && AreSameItem(gold, value),
        _ => false,
    };

    private static Literal? DecimalValue(BasedNumber number)
    {
        var value = BigInteger.Zero;
        foreach (char c in number.Digits)
        {
            if (!char.IsAsciiDigit(c) || c - '0' >= number.Base) return null;
            value = value * number.Base + (c - '0');
        }

        return new Literal(new Rational(value, 1));
    }

    private bool SameRatio(IReadOnlyList<Expression> gold, IReadOnlyList<Expression> answer)
    {
        if (gold.Count != answer.Count) return false;
        // 12:30 and 2:5 may be times of day, which are no ratios.
        bool Clock(IReadOnlyList<Expression> parts) => parts is [Literal { Significant: 0 }, Literal { Value: { IsInteger: true } minutes }]
            && (minutes.IsZero || (minutes.CompareTo(10) >= 0 && minutes.CompareTo(60) < 0));
        if (InOrder(gold, answer)) return true;
        if (Clock(gold) && Clock(answer)) return false;
        for (int i = 1; i < gold.Count; i++)
            if (!SameNumber(new Product([gold[0], answer[i]]), new Product([answer[0], gold[i]]))) return false;
        return !numbers.AreEqual(answer[0], new Literal(0));
    }

    // A column or a row may be written as a tuple.
    private bool SameMatrix(Matrix matrix, Expression other)
    {
        if (other is Matrix b)
            return matrix.Rows.Count == b.Rows.Count && matrix.Rows.Zip(b.Rows).All(rows => InOrder(rows.First, rows.Second));
        if (other is not Collection { Kind: CollectionKind.Tuple or CollectionKind.Bracketed } tuple) return false;
        if (matrix.Rows.Count == 1) return InOrder(matrix.Rows[0], tuple.Items);
        return matrix.Rows[0].Count == 1 && InOrder([.. matrix.Rows.Select(row => row[0])], tuple.Items);
    }

    private bool SameCollection(Expression gold, Expression answer)
    {
        if (gold is Collection a && answer is Collection b)
        {
            if (a.Kind == CollectionKind.List || b.Kind == CollectionKind.List) return AreEqual(a, b);
            if (a.Kind == CollectionKind.Set || b.Kind == CollectionKind.Set) return a.Kind == b.Kind && WithoutOrder(a.Items, b.Items);
            // Two in brackets are an interval, three or more can only be a tuple.
            return (a.Kind == b.Kind || a.Items.Count > 2) && InOrder(a.Items, b.Items);
        }

        // {5} is 5.
        return (gold, answer) switch
        {
            (Collection { Kind: CollectionKind.Set, Items: [var only] }, _) => AreSameItem(only, answer),
            (_, Collection { Kind: CollectionKind.Set, Items: [var only] }) => AreSameItem(gold, only),
            _ => false,
        };
    }

    private bool SameNumber(Expression gold, Expression answer)
    {
        if (gold is Literal a && answer is Literal b)
        {
            return a.Value == b.Value || DecimalRounding.Agree(a, b)
                || (b.Significant == 0 && DecimalRounding.Stands(a, b.Value)) || (a.Significant == 0 && DecimalRounding.Stands(b, a.Value));
        }

        if (gold is Literal c && DecimalRounding.MayBeRounded(c)) return IsRounding(c, answer);
        if (answer is Literal d && DecimalRounding.MayBeRounded(d)) return IsRounding(d, gold);
        return numbers.AreEqual(gold, answer);
    }

    private bool IsRounding(Literal number, Expression exact)
    {
        if (ExpressionEquality.HasUnknown(exact)) return false;
        return numbers.ExactValue(exact) is { } value ? value == number.Value || DecimalRounding.Stands(number, value) : DecimalRounding.Stands(number, numbers.RealValue(exact));
    }
}
