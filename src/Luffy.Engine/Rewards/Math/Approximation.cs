using System.Numerics;

namespace Luffy.Engine.Rewards.Math;

/// <summary>A complex number in doubles with a bound of its error, which every operation carries on.</summary>
/// <param name="Value">The number; NaN where it is not defined.</param>
/// <param name="Error">It differs from the true value by no more than this.</param>
internal readonly record struct Approximation(Complex Value, double Error)
{
    // A few units in the last place, for each rounding and for the functions of the library.
    private const double Rounding = 4e-16;

    /// <summary>Not defined.</summary>
    public static Approximation Undefined => new(new Complex(double.NaN, double.NaN), double.PositiveInfinity);

    /// <summary>Whether there is a value, and its error is small beside it or beside 1.</summary>
    public bool IsReliable => double.IsFinite(Value.Real) && double.IsFinite(Value.Imaginary) && Error <= 1e-7 * double.Max(1e-3, Complex.Abs(Value));

    /// <summary>Whether the imaginary part is zero as far as the error allows.</summary>
    public bool IsReal => double.Abs(Value.Imaginary) <= Error + 1e-13 * Complex.Abs(Value);

    /// <summary>A number rounded once.</summary>
    public static Approximation Of(Complex value) => new(value, Rounding * Complex.Abs(value));

    /// <summary>The value of a function at this number.</summary>
    /// <param name="value">Its value.</param>
    /// <param name="slope">The size of its derivative there.</param>
    public Approximation Map(Complex value, double slope)
    {
        // Where the error is no longer small the derivative at one point bounds nothing.
        bool sound = double.IsFinite(slope) && Error <= 1e-4 * double.Max(1e-8, Complex.Abs(Value)) + 1e-9;
        return sound ? new(value, slope * Error * 1.01 + 4 * Rounding * double.Max(Complex.Abs(value), 0)) : Undefined;
    }

    /// <summary>Sum.</summary>
    public static Approximation operator +(Approximation left, Approximation right)
    {
        var sum = left.Value + right.Value;
        return new(sum, left.Error + right.Error + Rounding * Complex.Abs(sum));
    }

    /// <summary>Product.</summary>
    public static Approximation operator *(Approximation left, Approximation right)
    {
        var product = left.Value * right.Value;
        double a = Complex.Abs(left.Value), b = Complex.Abs(right.Value);
        return new(product, a * right.Error + b * left.Error + left.Error * right.Error + Rounding * a * b);
    }

    /// <summary>1/a; not defined at zero.</summary>
    public Approximation Reciprocal()
    {
        double size = Complex.Abs(Value);
        return size <= Error || size == 0 ? Undefined : Map(1 / Value, 1 / ((size - Error) * (size - Error)));
    }
}
