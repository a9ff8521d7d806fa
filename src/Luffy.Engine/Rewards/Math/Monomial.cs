namespace Luffy.Engine.Rewards.Math;

/// <summary>A product of atoms to positive powers, the atoms by number in ascending order.</summary>
internal sealed class Monomial : IEquatable<Monomial>
{
    private readonly (int Atom, int Exponent)[] factors;
    private readonly int hash;

    private Monomial((int Atom, int Exponent)[] factors)
    {
        this.factors = factors;
        var code = new HashCode();
        foreach (var (atom, exponent) in factors)
        {
            code.Add(atom);
            code.Add(exponent);
            Degree += exponent;
        }

        hash = code.ToHashCode();
    }

    /// <summary>No atom: 1.</summary>
    public static Monomial One { get; } = new([]);

    /// <summary>The atoms with their exponents.</summary>
    public ReadOnlySpan<(int Atom, int Exponent)> Factors => factors;

    /// <summary>The sum of the exponents.</summary>
    public int Degree { get; }

    /// <summary>One atom to a power of at least 1.</summary>
    public static Monomial Of(int atom, int exponent) => new([(atom, exponent)]);

    /// <summary>The product.</summary>
    public Monomial Times(Monomial other)
    {
        if (factors.Length == 0) return other;
        if (other.factors.Length == 0) return this;
        var product = new List<(int, int)>(factors.Length + other.factors.Length);
        int i = 0, j = 0;
        while (i < factors.Length || j < other.factors.Length)
        {
            if (j == other.factors.Length || (i < factors.Length && factors[i].Atom < other.factors[j].Atom)) product.Add(factors[i++]);
            else if (i == factors.Length || other.factors[j].Atom < factors[i].Atom) product.Add(other.factors[j++]);
            else product.Add((factors[i].Atom, factors[i++].Exponent + other.factors[j++].Exponent));
        }

        return new Monomial([.. product]);
    }

    /// <summary>The same with another exponent of one atom; 0 leaves it out.</summary>
    public Monomial With(int atom, int exponent) =>
        new([.. factors.Where(f => f.Atom != atom || exponent > 0).Select(f => f.Atom == atom ? (atom, exponent) : f)]);

    /// <inheritdoc/>
    public bool Equals(Monomial? other) => other is not null && hash == other.hash && factors.AsSpan().SequenceEqual(other.factors);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Monomial);

    /// <inheritdoc/>
    public override int GetHashCode() => hash;
}
