using System.Numerics;

namespace Luffy.Engine.Rewards;

/// <summary>An exact fraction; the denominator is positive. Not reduced: equality multiplies across.</summary>
public readonly record struct Rational
{
    /// <param name="numerator">Any integer.</param>
    /// <param name="denominator">Any integer but zero.</param>
    public Rational(BigInteger numerator, BigInteger denominator)
    {
        ArgumentOutOfRangeException.ThrowIfZero(denominator);
        (Numerator, Denominator) = denominator.Sign < 0 ? (-numerator, -denominator) : (numerator, denominator);
    }

    /// <summary>Above the bar, with the sign.</summary>
    public BigInteger Numerator { get; }

    /// <summary>Below the bar; positive.</summary>
    public BigInteger Denominator { get; }

    /// <summary>Whether both are the same number.</summary>
    public bool Equals(Rational other) => Numerator * other.Denominator == other.Numerator * Denominator;

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var divisor = BigInteger.GreatestCommonDivisor(Numerator, Denominator);
        return divisor.IsZero ? 0 : HashCode.Combine(Numerator / divisor, Denominator / divisor);
    }

    /// <summary>Sum.</summary>
    public static Rational Add(Rational left, Rational right) =>
        new(left.Numerator * right.Denominator + right.Numerator * left.Denominator, left.Denominator * right.Denominator);

    /// <summary>Quotient, or null where the divisor is zero.</summary>
    public static Rational? Divide(Rational left, Rational right) =>
        right.Numerator.IsZero ? null : new(left.Numerator * right.Denominator, left.Denominator * right.Numerator);

    /// <summary>With the sign turned.</summary>
    public static Rational Negate(Rational value) => new(-value.Numerator, value.Denominator);
}
