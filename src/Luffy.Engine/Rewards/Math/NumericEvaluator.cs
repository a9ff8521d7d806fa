using System.Numerics;

namespace Luffy.Engine.Rewards.Math;

/// <summary>Evaluates an expression at a point: unknowns have the values that a seed gives to their names.</summary>
/// <param name="sample">The number of the point. The first four are positive, the next four of either sign, the rest positive integers.</param>
/// <param name="naturalLogarithm">Whether \log without a base is the natural one; else the decadic.</param>
/// <param name="budget">What evaluation may take.</param>
internal sealed partial class NumericEvaluator(int sample, bool naturalLogarithm, VerificationBudget budget)
{
    /// <summary>The points there are.</summary>
    public const int Samples = 12;

    private static readonly Complex I = Complex.ImaginaryOne;

    /// <summary>The value, or one that is not reliable where the expression has none or is no number.</summary>
    public Approximation Evaluate(Expression expression)
    {
        budget.Spend();
        switch (expression)
        {
            case Literal literal: return literal.Value.IsInteger && literal.Value.Bits < 50 ? new(literal.Value.ToDouble(), 0) : Approximation.Of(literal.Value.ToDouble());
            case Variable variable: return new(indices.TryGetValue(variable.Name, out double index) ? index : ValueOf(variable.Name), 0);
            case Constant { Kind: ConstantKind.Pi }: return Approximation.Of(double.Pi);
            case Constant { Kind: ConstantKind.E }: return Approximation.Of(double.E);
            case Constant { Kind: ConstantKind.ImaginaryUnit }: return new(I, 0);
            case Sum sum: return Fold(sum.Terms, (a, b) => a + b);
            case Product product: return Fold(product.Factors, (a, b) => a * b);
            case Ratio { Parts: [var a, var b] }: return Evaluate(a) * Evaluate(b).Reciprocal();
            case Power power: return EvaluatePower(power);
            case Call call: return EvaluateCall(call);
            default: return Approximation.Undefined;
        }
    }

    /// <summary>The value of a name at this point: the same for both sides, and for every run.</summary>
    private double ValueOf(string name)
    {
        ulong state = 0x9E3779B97F4A7C15UL * (ulong)(sample + 1);
        foreach (char c in name) state = Mix(state ^ c);
        double unit = (Mix(state) >> 11) * (1.0 / (1UL << 53));
        return sample switch
        {
            < 4 => 0.3 + 2.4 * unit,
            < 8 => (0.3 + 2.4 * unit) * ((state & 1) == 0 ? -1 : 1),
            _ => 1 + (int)(unit * 9),
        };
    }

    // SplitMix64's finaliser.
    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }

    private Approximation Fold(IReadOnlyList<Expression> parts, Func<Approximation, Approximation, Approximation> join)
    {
        var value = Evaluate(parts[0]);
        for (int i = 1; i < parts.Count; i++) value = join(value, Evaluate(parts[i]));
        return value;
    }

    private Approximation EvaluatePower(Power power)
    {
        var value = Evaluate(power.Base);
        if (power.Exponent is Literal { Value: { IsInteger: true } exact } && BigInteger.Abs(exact.Numerator) < 1000) return ToInteger(value, (int)exact.Numerator);
        var exponent = Evaluate(power.Exponent);
        if (exponent.Error < 1e-12 && exponent.Value.Imaginary == 0 && double.IsInteger(exponent.Value.Real) && double.Abs(exponent.Value.Real) < 1000)
            return ToInteger(value, (int)exponent.Value.Real);
        // a^b = e^(b·ln a).
        return Exponential(exponent * Logarithm(value));
    }

    private Approximation ToInteger(Approximation value, int exponent)
    {
        var power = new Approximation(1, 0);
        var square = exponent < 0 ? value.Reciprocal() : value;
        for (int rest = int.Abs(exponent); rest > 0; rest >>= 1)
        {
            if ((rest & 1) != 0) power *= square;
            square *= square;
        }

        return power;
    }

    private static Approximation Exponential(Approximation x)
    {
        var value = Complex.Exp(x.Value);
        return x.Error < 0.01 ? x.Map(value, Complex.Abs(value) * 1.02) : Approximation.Undefined;
    }

    private static Approximation Logarithm(Approximation x)
    {
        double size = Complex.Abs(x.Value);
        return size <= 2 * x.Error || size == 0 ? Approximation.Undefined : Absolute(x.Map(Complex.Log(x.Value), 1 / (size - x.Error)));
    }

    // Near a zero of a function its last digits are those of the argument: an error that is not relative.
    private static Approximation Absolute(Approximation x) => x with { Error = x.Error + 1e-15 };

    private Approximation EvaluateCall(Call call)
    {
        string name = call.Function;
        if (call.Arguments.Count == 0) return Approximation.Undefined;
        if (name is ExpressionParser.SumFunction or ExpressionParser.ProductFunction) return EvaluateSeries(call);
        var x = Evaluate(call.Arguments[0]);
        if (call.Arguments.Count == 2)
        {
            var y = Evaluate(call.Arguments[1]);
            return name switch
            {
                "root" => Root(x, y),
                "logbase" => Logarithm(x) * Logarithm(y).Reciprocal(),
                "binom" => Binomial(x, y),
                "gcd" or "lcm" => IntegerFunction(name, x, y),
                "max" or "min" => x.IsReal && y.IsReal ? ((x.Value.Real > y.Value.Real) == (name == "max") ? x : y) : Approximation.Undefined,
                _ => Unknown(call),
            };
        }

        return call.Arguments.Count == 1 ? EvaluateOne(call, x) : Unknown(call);
    }

    private Approximation EvaluateOne(Call call, Approximation x)
    {
        var z = x.Value;
        return call.Function switch
        {
            "ln" => Logarithm(x),
            "log" => naturalLogarithm ? Logarithm(x) : Logarithm(x) * Logarithm(new Approximation(10, 0)).Reciprocal(),
            "sin" => Absolute(x.Map(Complex.Sin(z), Complex.Abs(Complex.Cos(z)) + x.Error)),
            "cos" => Absolute(x.Map(Complex.Cos(z), Complex.Abs(Complex.Sin(z)) + x.Error)),
            "tan" => EvaluateOne(new Call("sin", call.Arguments), x) * EvaluateOne(new Call("cos", call.Arguments), x).Reciprocal(),
            "cot" => EvaluateOne(new Call("cos", call.Arguments), x) * EvaluateOne(new Call("sin", call.Arguments), x).Reciprocal(),
            "sec" => EvaluateOne(new Call("cos", call.Arguments), x).Reciprocal(),
            "csc" => EvaluateOne(new Call("sin", call.Arguments), x).Reciprocal(),
            "sinh" => Absolute(x.Map(Complex.Sinh(z), Complex.Abs(Complex.Cosh(z)))),
            "cosh" => x.Map(Complex.Cosh(z), Complex.Abs(Complex.Sinh(z)) + x.Error),
            "tanh" => Absolute(x.Map(Complex.Tanh(z), 1)),
            // At the ends of their range they have no slope.
            "arcsin" or "arccos" when x.Error == 0 && (z == Complex.One || z == -Complex.One) => Approximation.Of(call.Function == "arcsin" ? Complex.Asin(z) : Complex.Acos(z)),
            "arcsin" => Absolute(x.Map(Complex.Asin(z), Slope(1 - z * z, -0.5))),
            "arccos" => Absolute(x.Map(Complex.Acos(z), Slope(1 - z * z, -0.5))),
            "arctan" => Absolute(x.Map(Complex.Atan(z), Slope(1 + z * z, -1))),
            "arccot" => Absolute(x.Map(double.Pi / 2 - Complex.Atan(z), Slope(1 + z * z, -1))),
            "arcsec" => EvaluateOne(new Call("arccos", call.Arguments), x.Reciprocal()),
            "arccsc" => EvaluateOne(new Call("arcsin", call.Arguments), x.Reciprocal()),
            "arcsinh" => Absolute(x.Map(Complex.Log(z + Complex.Sqrt(z * z + 1)), Slope(1 + z * z, -0.5))),
            "arccosh" => Absolute(x.Map(Complex.Log(z + Complex.Sqrt(z * z - 1)), Slope(z * z - 1, -0.5))),
            "arctanh" => Absolute(x.Map(0.5 * Complex.Log((1 + z) / (1 - z)), Slope(1 - z * z, -1))),
            "abs" => x.Map(Complex.Abs(z), 1),
            "sign" => x.IsReal && double.Abs(z.Real) > x.Error ? new(double.Sign(z.Real), 0) : Approximation.Undefined,
            "Re" => new(z.Real, x.Error),
            "Im" => new(z.Imaginary, x.Error),
            "degree" => x * Approximation.Of(double.Pi / 180),
            "floor" or "ceil" => Rounded(x, call.Function == "floor"),
            "factorial" => Factorial(x, 1),
            "doublefactorial" => Factorial(x, 2),
            _ => Unknown(call),
        };
    }

    private static double Slope(Complex value, double power) => double.Pow(Complex.Abs(value), power);

    private static Approximation Root(Approximation x, Approximation order)
    {
        if (order.Error > 1e-12 || order.Value.Imaginary != 0 || !double.IsInteger(order.Value.Real) || order.Value.Real < 2) return Approximation.Undefined;
        double n = order.Value.Real;
        if (x.Value == Complex.Zero && x.Error == 0) return x;
        // Odd roots of negative numbers are real.
        bool negative = x.IsReal && x.Value.Real < 0 && n % 2 == 1;
        var positive = negative ? x with { Value = -x.Value } : x;
        double size = Complex.Abs(x.Value) - x.Error;
        if (size <= 0) return Approximation.Undefined;
        var value = n == 2 ? Complex.Sqrt(positive.Value) : Complex.Pow(positive.Value, 1 / n);
        var root = positive.Map(value, double.Pow(size, 1 / n - 1) / n);
        return negative ? root with { Value = -root.Value } : root;
    }

    // An argument that is an integer as far as its error tells is taken as one.
    private static Approximation Rounded(Approximation x, bool down)
    {
        if (!x.IsReal || double.Abs(x.Value.Real) > 1e12) return Approximation.Undefined;
        double nearest = double.Round(x.Value.Real);
        if (double.Abs(nearest - x.Value.Real) <= x.Error + 1e-12 * double.Abs(nearest)) return new(nearest, 0);
        return new(down ? double.Floor(x.Value.Real) : double.Ceiling(x.Value.Real), 0);
    }

    private static double? Integer(Approximation x) =>
        x.IsReal && double.Round(x.Value.Real) is var n && double.Abs(n - x.Value.Real) <= x.Error + 1e-12 && double.Abs(n) <= 1e9 ? n : null;

    private static Approximation Factorial(Approximation x, int step)
    {
        if (Integer(x) is not (>= 0 and <= 150 and var n)) return Approximation.Undefined;
        double product = 1;
        for (double i = n; i > 1; i -= step) product *= i;
        return new(product, n * 4e-16 * product);
    }

    private static Approximation Binomial(Approximation n, Approximation k)
    {
        if (Integer(n) is not { } top || Integer(k) is not (>= 0 and <= 150 and var below)) return Approximation.Undefined;
        double value = 1;
        for (int i = 1; i <= below; i++) value = value * (top - below + i) / i;
        return new(value, (below + 1) * 8e-16 * double.Abs(value));
    }

    private static Approximation IntegerFunction(string name, Approximation x, Approximation y)
    {
        if (Integer(x) is not { } a || Integer(y) is not { } b) return Approximation.Undefined;
        double divisor = (double)BigInteger.GreatestCommonDivisor((BigInteger)a, (BigInteger)b);
        return name == "gcd" ? new(divisor, 0) : divisor == 0 ? new(0, 0) : Approximation.Of(double.Abs(a / divisor * b));
    }

    // A function that nobody knows: any number that its name and arguments decide, in digits that the arguments' errors do not reach.
    private Approximation Unknown(Call call)
    {
        string key = call.Function;
        foreach (var argument in call.Arguments)
        {
            var value = Evaluate(argument);
            if (!value.IsReliable) return Approximation.Undefined;
            key += $"({double.Round(value.Value.Real, 6):R},{double.Round(value.Value.Imaginary, 6):R})";
        }

        return new(ValueOf(key), 0);
    }
}
