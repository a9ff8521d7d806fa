using System.Numerics;

namespace Luffy.Engine.Rewards.Math;

/// <summary>
/// When a decimal stands for a number that it is not: with at least six places it may be that number rounded or cut off. Shorter decimals are
/// exact, so that 0.33 is no third. Zeros in front are no digits: 0.0833333 has six, and of 0.011111 the five are enough, but below a
/// thousandth six are needed, lest 1.3e-9 be the rounding of anything near.
/// </summary>
internal static class DecimalRounding
{
    private const int FewestPlaces = 6, FewestDigits = 4, FewestDigitsOfSmall = 6, FullPrecision = 12;

    private static readonly Rational Small = new(1, 1000);

    /// <summary>Whether a number as written is a decimal long enough to be rounded.</summary>
    public static bool MayBeRounded(Literal number) =>
        number.Decimals >= FewestPlaces && number.Significant >= (number.Value.Abs().CompareTo(Small) < 0 ? FewestDigitsOfSmall : FewestDigits);

    /// <summary>Whether a decimal is an exact number rounded or cut off at the decimal's last place, and agrees with it to six places.</summary>
    public static bool Stands(Literal @decimal, Rational exact)
    {
        if (!MayBeRounded(@decimal) || @decimal.Decimals > 1000) return false;
        var place = new Rational(1, BigInteger.Pow(10, @decimal.Decimals));
        var error = (@decimal.Value - exact).Abs();
        if (error.CompareTo(new Rational(1, 2_000_000)) > 0) return false;
        if (error.CompareTo(place * new Rational(1, 2)) <= 0) return true;
        bool cutOff = @decimal.Value.Abs().CompareTo(exact.Abs()) < 0 && error.CompareTo(place) < 0;
        // The last digits of a long decimal are those of somebody's floating-point arithmetic.
        return cutOff || (@decimal.Significant >= FullPrecision && error.CompareTo(exact.Abs() * new Rational(1, 1_000_000_000_000)) <= 0);
    }

    /// <summary>The same for a number that is known to doubles' precision.</summary>
    public static bool Stands(Literal @decimal, double value)
    {
        if (!MayBeRounded(@decimal) || !double.IsFinite(value)) return false;
        double error = double.Abs(@decimal.Value.ToDouble() - value);
        return error <= 0.5e-6 * (1 + 1e-9) && error <= double.Max(double.Pow(10, -@decimal.Decimals), 1e-12 * double.Abs(value));
    }

    /// <summary>Whether one of two long decimals is the other rounded.</summary>
    public static bool Agree(Literal left, Literal right) =>
        MayBeRounded(left) && MayBeRounded(right) && Stands(left.Decimals <= right.Decimals ? left : right, (left.Decimals <= right.Decimals ? right : left).Value);
}
