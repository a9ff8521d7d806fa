using System.Globalization;
using System.Text;

namespace Luffy.Engine.Rewards.Math;

/// <summary>
/// A polynomial in atoms with rational coefficients, in its only form: no zero terms, no power of a root that is a number. Bounded in terms,
/// degree and digits.
/// </summary>
internal sealed class Polynomial
{
    private const int MostTerms = 400, HighestDegree = 400;
    private const long MostBits = 20_000;

    private readonly Dictionary<Monomial, Rational> terms;

    private Polynomial(Dictionary<Monomial, Rational> terms) => this.terms = terms;

    /// <summary>Zero.</summary>
    public static Polynomial Zero { get; } = new([]);

    /// <summary>One.</summary>
    public static Polynomial One { get; } = Constant(1);

    /// <summary>The terms, in no order.</summary>
    public IReadOnlyDictionary<Monomial, Rational> Terms => terms;

    /// <summary>Whether it is zero.</summary>
    public bool IsZero => terms.Count == 0;

    /// <summary>Its value where it has no atom, else null.</summary>
    public Rational? Value => terms.Count == 0 ? Rational.Zero : terms.Count == 1 && terms.TryGetValue(Monomial.One, out var value) ? value : null;

    /// <summary>A number.</summary>
    public static Polynomial Constant(Rational value) => value.IsZero ? Zero : new(new() { [Monomial.One] = Checked(value) });

    /// <summary>A number times a product of atoms, none of them to a power that is a number.</summary>
    public static Polynomial Term(Rational factor, Monomial monomial) => factor.IsZero ? Zero : new(new() { [monomial] = Checked(factor) });

    /// <summary>Sum.</summary>
    public Polynomial Plus(Polynomial other, VerificationBudget budget)
    {
        var sum = new Dictionary<Monomial, Rational>(terms);
        foreach (var (monomial, factor) in other.terms) Add(sum, monomial, factor, budget);
        return Bounded(sum);
    }

    /// <summary>Product with a number.</summary>
    public Polynomial Times(Rational factor, VerificationBudget budget)
    {
        foreach (var term in terms.Values) budget.Spend(CostOf(term) + CostOf(factor));
        return factor.IsZero ? Zero : new(terms.ToDictionary(term => term.Key, term => Checked(term.Value * factor)));
    }

    /// <summary>Product.</summary>
    public Polynomial Times(Polynomial other, AtomTable atoms, VerificationBudget budget)
    {
        var product = new Dictionary<Monomial, Rational>();
        foreach (var (monomial, factor) in terms)
        {
            foreach (var (otherMonomial, otherFactor) in other.terms)
            {
                budget.Spend(CostOf(factor) + CostOf(otherFactor));
                var (reduced, number) = Reduce(monomial.Times(otherMonomial), atoms);
                Add(product, reduced, Checked(factor * otherFactor * number), budget);
            }
        }

        return Bounded(product);
    }

    /// <summary>To a power of at least 0.</summary>
    public Polynomial Pow(int exponent, AtomTable atoms, VerificationBudget budget)
    {
        var (power, square) = (One, this);
        for (int rest = exponent; ;)
        {
            if ((rest & 1) != 0) power = power.Times(square, atoms, budget);
            rest >>= 1;
            if (rest == 0) return power;
            square = square.Times(square, atoms, budget);
        }
    }

    /// <summary>The same text for the same polynomial over the same table.</summary>
    public string Key(AtomTable atoms, VerificationBudget budget)
    {
        var parts = new List<string>();
        foreach (var (monomial, factor) in terms)
        {
            var part = new StringBuilder();
            foreach (var (atom, exponent) in monomial.Factors) part.Append(atoms.Key(atom)).Append('^').Append(exponent.ToString(CultureInfo.InvariantCulture)).Append('*');
            part.Append(factor);
            budget.Spend(1 + part.Length / 16);
            parts.Add(part.ToString());
        }

        parts.Sort(string.CompareOrdinal);
        string key = string.Join('+', parts);
        return key.Length <= 4000 ? key : throw new VerificationLimitException("a term is longer than 4000 characters");
    }

    // A root to its order or above gives its radicand back.
    private static (Monomial Monomial, Rational Factor) Reduce(Monomial monomial, AtomTable atoms)
    {
        Rational factor = 1;
        foreach (var (atom, exponent) in monomial.Factors)
        {
            var (order, radicand) = atoms.Root(atom);
            if (order == 0 || exponent < order) continue;
            factor *= radicand.Pow(exponent / order);
            monomial = monomial.With(atom, exponent % order);
        }

        return (monomial, factor);
    }

    private static void Add(Dictionary<Monomial, Rational> sum, Monomial monomial, Rational factor, VerificationBudget budget)
    {
        budget.Spend(CostOf(factor));
        factor = sum.TryGetValue(monomial, out var before) ? Checked(before + factor) : factor;
        if (factor.IsZero) sum.Remove(monomial);
        else sum[monomial] = factor;
    }

    // Lowest terms take a greatest common divisor, which goes with the square of the length; integers do without.
    private static long CostOf(Rational value)
    {
        long words = value.Bits / 64;
        return 1 + (value.IsInteger ? words / 16 : words / 4 + words * words / 64);
    }

    private static Polynomial Bounded(Dictionary<Monomial, Rational> terms)
    {
        if (terms.Count > MostTerms) throw new VerificationLimitException($"a polynomial has more than {MostTerms} terms");
        foreach (var monomial in terms.Keys)
            if (monomial.Degree > HighestDegree) throw new VerificationLimitException($"a polynomial's degree is above {HighestDegree}");
        return new(terms);
    }

    private static Rational Checked(Rational value) =>
        value.Bits <= MostBits ? value : throw new VerificationLimitException($"a number has more than {MostBits} bits");
}

/// <summary>A quotient of polynomials; the divisor is not zero. Two are equal where crosswise products are.</summary>
/// <param name="Top">The dividend.</param>
/// <param name="Bottom">The divisor.</param>
internal sealed record RationalFunction(Polynomial Top, Polynomial Bottom)
{
    /// <summary>Its value where it is a number, else null.</summary>
    public Rational? Value => Top.Value is { } top && Bottom.Value is { } bottom ? top / bottom : null;
}
