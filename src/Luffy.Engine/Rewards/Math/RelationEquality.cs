using System.Numerics;

namespace Luffy.Engine.Rewards.Math;

/// <summary>Whether two equations or inequalities say the same.</summary>
/// <param name="numbers">Compares expressions.</param>
/// <param name="areSame">Compares the sides of assignments, which may be sets or words.</param>
internal sealed class RelationEquality(ExpressionEquality numbers, Func<Expression, Expression, bool> areSame)
{
    /// <summary>By value where both give one to the same name; side by side; else by the differences of the sides, which are multiples of each other.</summary>
    public bool AreEqual(Relation gold, Relation answer)
    {
        if (Assignments.Value(gold) is { } goldValue && Assignments.Value(answer) is { } answerValue && SameAssignment(gold, goldValue, answer, answerValue)) return true;
        if (SameSides(gold, answer) || SameSides(gold, Reversed(answer))) return true;
        if (gold.Sides.Count != 2 || answer.Sides.Count != 2) return false;
        return Compare(gold, answer);
    }

    // f(x) = 2x is f(n) = 2n: the argument's name is the definition's own.
    private bool SameAssignment(Relation gold, Expression goldValue, Relation answer, Expression answerValue)
    {
        if (gold.Sides[0] is Call { Arguments: [Variable x] } f && answer.Sides[0] is Call { Arguments: [Variable y] } g && f.Function == g.Function)
            return areSame(goldValue, ExpressionRewriter.Rewrite(answerValue, node => node is Variable v && v.Name == y.Name ? x : null));
        return Assignments.IsName(gold.Sides[0]) && Assignments.IsName(answer.Sides[0]) && areSame(gold.Sides[0], answer.Sides[0]) && areSame(goldValue, answerValue);
    }

    private bool SameSides(Relation gold, Relation answer)
    {
        if (!gold.Operators.SequenceEqual(answer.Operators)) return false;
        for (int i = 0; i < gold.Sides.Count; i++)
            if (!areSame(gold.Sides[i], answer.Sides[i])) return false;
        return true;
    }

    private static Relation Reversed(Relation relation) => new([.. relation.Sides.Reverse()], [.. relation.Operators.Reverse().Select(Turned)]);

    private static char Turned(char symbol) => symbol switch { '<' => '>', '>' => '<', '≤' => '≥', '≥' => '≤', _ => symbol };

    private bool Compare(Relation gold, Relation answer)
    {
        char first = gold.Operators[0], second = answer.Operators[0];
        bool inequality = first is '<' or '>' or '≤' or '≥';
        if (inequality != second is '<' or '>' or '≤' or '≥' || first is '∈' or '≡') return false;
        bool turned = first != second;
        if (turned && second != Turned(first)) return false;
        return numbers.Ratio(Difference(gold), Difference(answer), equation: !inequality) is { } ratio && (!inequality || ratio > 0 != turned);
    }

    private static Sum Difference(Relation relation) => new([relation.Sides[0], new Product([new Literal(-1), relation.Sides[1]])]);
}
