using System.Numerics;

namespace Luffy.Engine.Rewards.Math;

/// <summary>Whether two expressions are the same number, or the same function of their unknowns.</summary>
/// <param name="budget">What one verification may take.</param>
internal sealed class ExpressionEquality(VerificationBudget budget)
{
    private const int NeededPoints = 3;
    private const long StepsOfNormalForms = 12_000;

    /// <summary>
    /// By normal form where that decides, else at points: the two agree wherever both are real, within the error that evaluation carries, at
    /// three points or more. Decimals with six places and more stand for what they round.
    /// </summary>
    public bool AreEqual(Expression gold, Expression answer)
    {
        if (IsInfinite(gold) || IsInfinite(answer)) return RealValue(gold) == RealValue(answer);
        if (budget.Try(StepsOfNormalForms, () => ByNormalForm(gold, answer)) is { } decided) return decided.Equal;
        return AtPoints(gold, answer, naturalLogarithm: true) || (HasLogarithm(gold) != HasLogarithm(answer) && AtPoints(gold, answer, naturalLogarithm: false));
    }

    /// <summary>The exact value of an expression that is rational; null where it is another, or none.</summary>
    public Rational? ExactValue(Expression expression)
    {
        if (expression is Literal literal) return literal.Value;
        return budget.Try(StepsOfNormalForms, () => new NormalForm(new AtomTable(), budget).Of(expression)) is { Value: { } value } ? value : null;
    }

    /// <summary>Whether an expression is ∞ or −∞.</summary>
    public static bool IsInfinite(Expression expression) => expression is Constant { Kind: ConstantKind.Infinity } or Product { Factors: [Literal, Constant { Kind: ConstantKind.Infinity }] };

    /// <summary>The value of an expression without unknowns where it is real, else NaN.</summary>
    public double RealValue(Expression expression)
    {
        if (expression is Constant { Kind: ConstantKind.Infinity }) return double.PositiveInfinity;
        if (expression is Product { Factors: [Literal { Value.Sign: < 0 }, Constant { Kind: ConstantKind.Infinity }] }) return double.NegativeInfinity;
        if (HasUnknown(expression)) return double.NaN;
        var value = new NumericEvaluator(0, true, budget).Evaluate(expression);
        return value.IsReliable && value.IsReal ? value.Value.Real : double.NaN;
    }

    /// <summary>
    /// The sign (1 or −1) of the constant by which one expression is the other's multiple, or null where it is none. Of an equation's two
    /// differences only the numerators count, since y = 1/x says x·y = 1.
    /// </summary>
    public int? Ratio(Expression left, Expression right, bool equation)
    {
        if (budget.Try(StepsOfNormalForms, () => RatioByNormalForm(left, right, equation)) is { } decided) return decided.Sign == 0 ? null : decided.Sign;
        return RatioAtPoints(left, right);
    }

    /// <summary>Whether an expression has an unknown, or a function nobody knows.</summary>
    public static bool HasUnknown(Expression expression) => expression switch
    {
        Variable => true,
        Sum sum => sum.Terms.Any(HasUnknown),
        Product product => product.Factors.Any(HasUnknown),
        Power power => HasUnknown(power.Base) || HasUnknown(power.Exponent),
        Call call => call.Function.StartsWith("f:", StringComparison.Ordinal) || call.Arguments.Any(HasUnknown),
        Ratio ratio => ratio.Parts.Any(HasUnknown),
        _ => false,
    };

    private sealed record Decision(bool Equal);

    private sealed record Proportion(int Sign);

    private Proportion? RatioByNormalForm(Expression left, Expression right, bool equation)
    {
        var atoms = new AtomTable();
        var forms = new NormalForm(atoms, budget);
        if (forms.Of(left) is not { } a || forms.Of(right) is not { } b) return null;
        var (first, second) = equation ? (a.Top, b.Top) : (a.Top.Times(b.Bottom, atoms, budget), b.Top.Times(a.Bottom, atoms, budget));
        if (first.IsZero || second.IsZero) return new(first.IsZero == second.IsZero ? 1 : 0);
        var (monomial, factor) = first.Terms.First();
        if (second.Terms.TryGetValue(monomial, out var other))
        {
            var ratio = factor / other;
            if (first.Plus(second.Times(-ratio, budget), budget).IsZero) return new(ratio.Sign);
        }

        return forms.IsDecisive(a) && forms.IsDecisive(b) ? new(0) : null;
    }

    private int? RatioAtPoints(Expression left, Expression right)
    {
        double? ratio = null;
        int agreeing = 0;
        for (int sample = 0; sample < NumericEvaluator.Samples; sample++)
        {
            var evaluator = new NumericEvaluator(sample, true, budget);
            var quotient = evaluator.Evaluate(left) * evaluator.Evaluate(right).Reciprocal();
            if (!quotient.IsReliable || !quotient.IsReal) continue;
            double value = quotient.Value.Real;
            ratio ??= value;
            if (double.Abs(value - ratio.Value) > 1e-9 * double.Abs(value) || value == 0) return null;
            agreeing++;
        }

        return agreeing >= NeededPoints ? double.Sign(ratio!.Value) : null;
    }

    private Decision? ByNormalForm(Expression gold, Expression answer)
    {
        var forms = new NormalForm(new AtomTable(), budget);
        if (forms.Of(gold) is not { } a || forms.Of(answer) is not { } b) return null;
        if (forms.AreEqual(a, b)) return new(true);
        // A rounded decimal is equal to what it rounds all the same.
        if (IsRounded(gold) || IsRounded(answer)) return null;
        return forms.IsDecisive(a) && forms.IsDecisive(b) ? new(false) : null;
    }

    private static bool HasLogarithm(Expression expression) => expression switch
    {
        Call call => call.Function == "log" || call.Arguments.Any(HasLogarithm),
        Sum sum => sum.Terms.Any(HasLogarithm),
        Product product => product.Factors.Any(HasLogarithm),
        Power power => HasLogarithm(power.Base) || HasLogarithm(power.Exponent),
        _ => false,
    };

    // A decimal within an expression that is long enough to stand for another number.
    private static bool IsRounded(Expression expression) => expression switch
    {
        Literal literal => DecimalRounding.MayBeRounded(literal),
        Sum sum => sum.Terms.Any(IsRounded),
        Product product => product.Factors.Any(IsRounded),
        Power power => IsRounded(power.Base) || IsRounded(power.Exponent),
        Call call => call.Arguments.Any(IsRounded),
        _ => false,
    };

    private bool AtPoints(Expression gold, Expression answer, bool naturalLogarithm)
    {
        double tolerance = IsRounded(gold) || IsRounded(answer) ? 1e-6 : 1e-13;
        bool constant = !HasUnknown(gold) && !HasUnknown(answer);
        int real = 0, complex = 0;
        bool complexAgree = true;
        for (int sample = 0; sample < (constant ? 1 : NumericEvaluator.Samples); sample++)
        {
            var evaluator = new NumericEvaluator(sample, naturalLogarithm, budget);
            var a = evaluator.Evaluate(gold);
            var b = evaluator.Evaluate(answer);
            if (!a.IsReliable || !b.IsReliable) continue;
            double size = double.Max(Complex.Abs(a.Value), Complex.Abs(b.Value));
            // Both vanish below what doubles tell apart: no evidence, unless they are zero itself.
            if (size is < 1e-200 and > 0) continue;
            bool agree = Complex.Abs(a.Value - b.Value) <= a.Error + b.Error + tolerance * size;
            if (a.IsReal && b.IsReal)
            {
                if (!agree) return false;
                real++;
            }
            else
            {
                complex++;
                complexAgree &= agree;
            }
        }

        int needed = constant ? 1 : NeededPoints;
        return real >= needed || (complexAgree && real + complex >= needed);
    }
}
