namespace Luffy.Engine.Rewards.Math;

internal sealed partial class NumericEvaluator
{
    private const int MostTerms = 300, FewestTerms = 8;

    // Of a sum of infinitely many terms each has to be this much smaller than the one before, once they are too small to matter.
    private const double SlowestDecay = 0.9, Negligible = 1e-18;

    private readonly Dictionary<string, double> indices = [];

    // At points where both limits are integers; to infinity where the terms fall off like a geometric series.
    private Approximation EvaluateSeries(Call call)
    {
        if (call.Arguments is not [var term, var low, var high, Variable { Name: var index }]) return Approximation.Undefined;
        bool product = call.Function == ExpressionParser.ProductFunction, endless = ExpressionEquality.IsInfinite(high);
        if (Integer(Evaluate(low)) is not { } first) return Approximation.Undefined;
        double last = endless ? first + MostTerms - 1 : Integer(Evaluate(high)) ?? double.NaN;
        if (!(last - first >= -1 && last - first < MostTerms) || (product && endless)) return Approximation.Undefined;
        var total = new Approximation(product ? 1 : 0, 0);
        double size = double.PositiveInfinity;
        for (double i = first; i <= last; i++)
        {
            indices[index] = i;
            var next = Evaluate(term);
            total = product ? total * next : total + next;
            double before = size;
            size = System.Numerics.Complex.Abs(next.Value);
            if (!endless || i < first + FewestTerms || size == 0 || size > SlowestDecay * before || size > Negligible * System.Numerics.Complex.Abs(total.Value)) continue;
            indices.Remove(index);
            return total with { Error = total.Error + size / (1 - SlowestDecay) };
        }

        indices.Remove(index);
        return endless ? Approximation.Undefined : total;
    }
}
