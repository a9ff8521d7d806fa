using System.Numerics;

namespace Luffy.Engine.Rewards;

/// <summary>An exact fraction in lowest terms; the denominator is positive.</summary>
public readonly record struct Rational
{
    private readonly BigInteger denominator;

    /// <param name="numerator">Any integer.</param>
    /// <param name="denominator">Any integer but zero.</param>
    public Rational(BigInteger numerator, BigInteger denominator)
    {
        ArgumentOutOfRangeException.ThrowIfZero(denominator);
        if (denominator.Sign < 0) (numerator, denominator) = (-numerator, -denominator);
        if (!denominator.IsOne && BigInteger.GreatestCommonDivisor(numerator, denominator) is { IsOne: false } divisor)
            (numerator, denominator) = (numerator / divisor, denominator / divisor);
        (Numerator, this.denominator) = (numerator, denominator - 1);
    }

    /// <summary>Zero.</summary>
    public static Rational Zero => default;

    /// <summary>One.</summary>
    public static Rational One { get; } = new(1, 1);

    /// <summary>Above the bar, with the sign.</summary>
    public BigInteger Numerator { get; }

    /// <summary>Below the bar; positive.</summary>
    // Kept less one, so that the default value is zero and not a fraction without a denominator.
    public BigInteger Denominator => denominator + 1;

    /// <summary>Whether it is zero.</summary>
    public bool IsZero => Numerator.IsZero;

    /// <summary>Whether it is one.</summary>
    public bool IsOne => Numerator.IsOne && denominator.IsZero;

    /// <summary>Whether the denominator is one.</summary>
    public bool IsInteger => denominator.IsZero;

    /// <summary>−1, 0 or 1.</summary>
    public int Sign => Numerator.Sign;

    /// <summary>The bits of the numerator and the denominator together.</summary>
    public long Bits => Numerator.GetBitLength() + Denominator.GetBitLength();

    /// <summary>Sum.</summary>
    public static Rational operator +(Rational left, Rational right) =>
        new(left.Numerator * right.Denominator + right.Numerator * left.Denominator, left.Denominator * right.Denominator);

    /// <summary>Difference.</summary>
    public static Rational operator -(Rational left, Rational right) => left + -right;

    /// <summary>With the sign turned.</summary>
    public static Rational operator -(Rational value) => new(-value.Numerator, value.Denominator);

    /// <summary>Product.</summary>
    public static Rational operator *(Rational left, Rational right) =>
        new(left.Numerator * right.Numerator, left.Denominator * right.Denominator);

    /// <summary>Quotient; the divisor is not zero.</summary>
    public static Rational operator /(Rational left, Rational right) =>
        new(left.Numerator * right.Denominator, left.Denominator * right.Numerator);

    /// <summary>An integer.</summary>
    public static implicit operator Rational(int value) => new(value, 1);

    /// <summary>Less than, equal to or greater than.</summary>
    public int CompareTo(Rational other) => (Numerator * other.Denominator).CompareTo(other.Numerator * Denominator);

    /// <summary>Without the sign.</summary>
    public Rational Abs() => Sign < 0 ? -this : this;

    /// <summary>The largest integer that is not above.</summary>
    public BigInteger Floor()
    {
        var quotient = BigInteger.DivRem(Numerator, Denominator, out var remainder);
        return remainder.Sign < 0 ? quotient - 1 : quotient;
    }

    /// <summary>To the power of an integer; the caller bounds it, and zero has no negative power.</summary>
    public Rational Pow(int exponent) => exponent >= 0
        ? new(BigInteger.Pow(Numerator, exponent), BigInteger.Pow(Denominator, exponent))
        : new(BigInteger.Pow(Denominator, -exponent), BigInteger.Pow(Numerator, -exponent));

    /// <summary>The nearest double, without overflow on the way.</summary>
    public double ToDouble()
    {
        if (IsZero) return 0;
        // 64 bits of quotient, then the power of two that was left out.
        int shift = (int)(64 - (Numerator.GetBitLength() - Denominator.GetBitLength()));
        var scaled = shift >= 0 ? (Numerator << shift) / Denominator : Numerator / (Denominator << -shift);
        return double.ScaleB((double)scaled, -shift);
    }

    /// <inheritdoc/>
    public override string ToString() => IsInteger ? Numerator.ToString() : $"{Numerator}/{Denominator}";
}
