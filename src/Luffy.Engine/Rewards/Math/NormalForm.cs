using System.Numerics;

namespace Luffy.Engine.Rewards.Math;

/// <summary>
/// Brings expressions to quotients of polynomials over the rationals in their atoms: unknowns, π, e, i, roots of integers, and functions or
/// powers of such quotients as a whole. Equal forms are equal values wherever both are defined; different ones may still be.
/// </summary>
internal sealed class NormalForm(AtomTable atoms, VerificationBudget budget)
{
    private const int LargestExponent = 2000, LargestFactorial = 1000;
    private const long MostBits = 20_000;

    private static readonly RationalFunction Zero = new(Polynomial.Zero, Polynomial.One);

    /// <summary>The form of an expression, or null where it is no number (a set, say) or divides by zero.</summary>
    /// <exception cref="VerificationLimitException">A bound is passed.</exception>
    public RationalFunction? Of(Expression expression)
    {
        budget.Spend();
        return expression switch
        {
            Literal literal => Number(literal.Value),
            Variable variable => Atom("x:" + variable.Name),
            Constant constant => OfConstant(constant.Kind),
            Sum sum => OfSum(sum.Terms),
            Product product => OfProduct(product.Factors),
            Power power => OfPower(power),
            Call call => OfCall(call),
            Ratio { Parts: [var a, var b] } => OfProduct([a, new Power(b, new Literal(-1))]),
            _ => null,
        };
    }

    /// <summary>Whether crosswise products agree.</summary>
    public bool AreEqual(RationalFunction left, RationalFunction right) => CrossDifference(left, right).IsZero;

    /// <summary>Whether different forms over these atoms alone are different values.</summary>
    public bool IsDecisive(RationalFunction form)
    {
        foreach (var monomial in form.Top.Terms.Keys.Concat(form.Bottom.Terms.Keys))
            foreach (var (atom, _) in monomial.Factors)
                if (!atoms.IsFree(atom)) return false;
        return true;
    }

    /// <summary>left − right, times both divisors.</summary>
    public Polynomial CrossDifference(RationalFunction left, RationalFunction right) =>
        left.Top.Times(right.Bottom, atoms, budget).Plus(right.Top.Times(left.Bottom, atoms, budget).Times(-1, budget), budget);

    private static RationalFunction Number(Rational value) => new(Polynomial.Constant(value), Polynomial.One);

    private RationalFunction Atom(string key) => new(Polynomial.Term(1, Monomial.Of(atoms.Get(key), 1)), Polynomial.One);

    private RationalFunction? OfConstant(ConstantKind kind) => kind switch
    {
        ConstantKind.Pi => Atom("pi"),
        ConstantKind.E => Atom("e"),
        ConstantKind.ImaginaryUnit => Root(2, -1),
        _ => null,
    };

    private RationalFunction? OfSum(IReadOnlyList<Expression> terms)
    {
        var sum = Zero;
        foreach (var term in terms)
        {
            if (Of(term) is not { } form) return null;
            sum = SameNumber(sum.Bottom, form.Bottom)
                ? new(sum.Top.Plus(form.Top, budget), sum.Bottom)
                : new(sum.Top.Times(form.Bottom, atoms, budget).Plus(form.Top.Times(sum.Bottom, atoms, budget), budget), sum.Bottom.Times(form.Bottom, atoms, budget));
        }

        return sum;
    }

    private static bool SameNumber(Polynomial left, Polynomial right) =>
        ReferenceEquals(left, right) || (left.Value is { } a && right.Value is { } b && a == b);

    private RationalFunction? OfProduct(IReadOnlyList<Expression> factors)
    {
        var product = Number(1);
        foreach (var factor in factors)
        {
            if (Of(factor) is not { } form) return null;
            product = Times(product, form);
        }

        return product;
    }

    private RationalFunction Times(RationalFunction left, RationalFunction right) =>
        new(left.Top.Times(right.Top, atoms, budget), left.Bottom.Times(right.Bottom, atoms, budget));

    private RationalFunction? OfPower(Power power)
    {
        if (Of(power.Base) is not { } form || Of(power.Exponent) is not { } exponent) return null;
        if (exponent.Value is not { } value) return Whole("power", form, exponent);
        if (value.IsInteger) return ToInteger(form, value.Numerator) ?? (form.Top.IsZero ? null : Whole("power", form, exponent));
        if (value.Denominator > 64 || BigInteger.Abs(value.Numerator) > LargestExponent) return Whole("power", form, exponent);
        // a^(p/q) = (a^(1/q))^p for the principal root; a positive base only, because (-8)^(1/3) is no real number.
        if (form.Value is { Sign: >= 0 } number && RootOf((int)value.Denominator, number) is { } root) return ToInteger(root, value.Numerator);
        return ToInteger(Whole("root", form, Number(value.Denominator is var order ? new Rational(order, 1) : 1)), value.Numerator);
    }

    private RationalFunction? ToInteger(RationalFunction form, BigInteger exponent)
    {
        if (exponent.IsZero) return form.Top.IsZero ? null : Number(1);
        if (exponent.Sign < 0)
        {
            if (form.Top.IsZero) return null;
            (form, exponent) = (new(form.Bottom, form.Top), -exponent);
        }

        if (form.Value is { } value)
        {
            if (value.IsZero || value.Abs().IsOne) return Number(exponent.IsEven ? value * value : value);
            double bits = (double)exponent * (BigInteger.Log(BigInteger.Abs(value.Numerator), 2) + BigInteger.Log(value.Denominator, 2));
            return bits <= MostBits ? Number(value.Pow((int)exponent)) : null;
        }

        if (exponent > LargestExponent) return null;
        return new(form.Top.Pow((int)exponent, atoms, budget), form.Bottom.Pow((int)exponent, atoms, budget));
    }

    private RationalFunction? OfCall(Call call)
    {
        var arguments = new RationalFunction[call.Arguments.Count];
        for (int i = 0; i < arguments.Length; i++)
        {
            if (Of(call.Arguments[i]) is not { } form) return null;
            arguments[i] = form;
        }

        return (call.Function switch
        {
            "root" when arguments[1].Value is { IsInteger: true } order && order.CompareTo(2) >= 0 && order.CompareTo(64) <= 0 => RealRoot((int)order.Numerator, arguments[0]),
            "degree" => Times(arguments[0], Times(Number(new Rational(1, 180)), Atom("pi"))),
            "abs" when arguments[0].Value is { } number => Number(number.Abs()),
            "floor" when arguments[0].Value is { } number => Number(new Rational(number.Floor(), 1)),
            "ceil" when arguments[0].Value is { } number => Number(new Rational(-(-number).Floor(), 1)),
            "factorial" when SmallInteger(arguments[0]) is { } n => Number(Factorial(n, 1)),
            "doublefactorial" when SmallInteger(arguments[0]) is { } n => Number(Factorial(n, 2)),
            "binom" when SmallInteger(arguments[0]) is { } n && SmallInteger(arguments[1]) is { } k => Number(Binomial(n, k)),
            _ => null,
        }) ?? Whole(call.Function, arguments);
    }

    private RationalFunction? RealRoot(int order, RationalFunction form)
    {
        if (form.Value is not { } value) return Whole("root", form, Number(order));
        if (value.Sign >= 0) return RootOf(order, value);
        // An odd root of a negative number is the negative one; a square root goes by i.
        if (order % 2 == 1) return RootOf(order, -value) is { } odd ? Times(odd, Number(-1)) : null;
        return order == 2 && RootOf(2, -value) is { } even ? Times(even, Root(2, -1)) : null;
    }

    // The root of a number that is not negative: (a/b)^(1/q) = (a·b^(q−1))^(1/q) / b, with whole powers of small primes outside and
    // each prime a root of its own.
    private RationalFunction? RootOf(int order, Rational value)
    {
        if (value.Sign == 0) return Zero;
        if (value.Bits * order > MostBits) return null;
        var rest = value.Numerator * BigInteger.Pow(value.Denominator, order - 1);
        var root = Number(new Rational(1, value.Denominator));
        if (ExactRoot(order, rest) is { } whole) return Times(root, Number(new Rational(whole, 1)));
        for (int prime = 2; prime < 1000 && !rest.IsOne; prime += prime == 2 ? 1 : 2)
        {
            budget.Spend(1 + rest.GetBitLength() / 512);
            int power = 0;
            for (; (rest % prime).IsZero; power++)
            {
                budget.Spend(1 + rest.GetBitLength() / 512);
                rest /= prime;
            }

            if (power == 0) continue;
            root = Times(root, Number(new Rational(BigInteger.Pow(prime, power / order), 1)));
            // 4^(1/4) is 2^(1/2): lowest terms, so that a root has one name.
            int common = (int)BigInteger.GreatestCommonDivisor(power % order, order);
            if (power % order > 0 && ToInteger(Root(order / common, prime), power % order / common) is { } part) root = Times(root, part);
        }

        if (rest.IsOne) return root;
        return Times(root, ExactRoot(order, rest) is { } exact ? Number(new Rational(exact, 1)) : Root(order, new Rational(rest, 1)));
    }

    private BigInteger? ExactRoot(int order, BigInteger value)
    {
        budget.Spend(value.GetBitLength() / 8 + 1);
        // Newton's iteration from above.
        var guess = BigInteger.One << (int)(value.GetBitLength() / order + 1);
        while (true)
        {
            budget.Spend(1 + value.GetBitLength() / 256);
            var next = ((order - 1) * guess + value / BigInteger.Pow(guess, order - 1)) / order;
            if (next >= guess) return BigInteger.Pow(guess, order) == value ? guess : null;
            guess = next;
        }
    }

    private RationalFunction Root(int order, Rational radicand) => new(Polynomial.Term(1, Monomial.Of(atoms.GetRoot(order, radicand), 1)), Polynomial.One);

    private RationalFunction Whole(string function, params ReadOnlySpan<RationalFunction> arguments)
    {
        string key = function;
        foreach (var argument in arguments) key += "(" + Key(argument.Top) + "/" + Key(argument.Bottom) + ")";
        if (key.Length > 4000) throw new VerificationLimitException("a term is longer than 4000 characters");
        return Atom(key);
    }

    private string Key(Polynomial polynomial) => polynomial.Key(atoms, budget);

    private static int? SmallInteger(RationalFunction form) =>
        form.Value is { IsInteger: true, Sign: >= 0 } value && value.Numerator <= LargestFactorial ? (int)value.Numerator : null;

    private Rational Factorial(int n, int step)
    {
        budget.Spend(n);
        var product = BigInteger.One;
        for (int i = n; i > 1; i -= step) product *= i;
        return new Rational(product, 1);
    }

    private Rational Binomial(int n, int k)
    {
        budget.Spend(n);
        if (k > n) return 0;
        var value = BigInteger.One;
        for (int i = 1; i <= int.Min(k, n - k); i++) value = value * (n - int.Min(k, n - k) + i) / i;
        return new Rational(value, 1);
    }
}
