namespace Luffy.Engine.Data.Tasks;

/// <summary>
/// The teacher's column arithmetic, one line a column. Every line states all the digits it needs and ends in the one or two it found,
/// so that a very small model can learn each line on its own; every number has a fixed width, so that a line's digits always stand
/// at the same places.
/// </summary>
internal static class WrittenArithmetic
{
    private static readonly string[] Places = ["ones", "tens", "hundreds", "thousands", "myriads"];

    /// <summary>The name of the decimal place: ones, tens, hundreds and on.</summary>
    public static string Place(int index) => Places[index];

    /// <summary>Addition: <c>tens 7+8+1=16</c> is digit + digit + carry = carry and digit.</summary>
    public static IEnumerable<string> Add(int a, int b, int digits, Func<int, string>? label = null)
    {
        int carry = 0;
        for (int i = 0; i < digits; i++, a /= 10, b /= 10)
        {
            int sum = a % 10 + b % 10 + carry;
            yield return $"{(label ?? Place)(i)} {a % 10}+{b % 10}+{carry}={sum:00}\n";
            carry = sum / 10;
        }
    }

    /// <summary>Subtraction: <c>tens 3-5-1=7-10</c> is digit − digit − borrowed = digit, less the ten that the next column lends (00 or 10).</summary>
    public static IEnumerable<string> Subtract(int a, int b, int digits, Func<int, string>? label = null)
    {
        int borrow = 0;
        for (int i = 0; i < digits; i++, a /= 10, b /= 10)
        {
            int difference = a % 10 - b % 10 - borrow;
            int lent = difference < 0 ? 10 : 0;
            yield return $"{(label ?? Place)(i)} {a % 10}-{b % 10}-{borrow}={difference + lent}-{lent:00}\n";
            borrow = lent / 10;
        }
    }

    /// <summary>Partial products: <c>times 7*8=56+1=57</c> is digit × factor = product, + carry = carry and digit.</summary>
    public static IEnumerable<string> Multiply(int a, int factor, int digits, Func<int, string> label)
    {
        int carry = 0;
        for (int i = 0; i < digits; i++, a /= 10)
        {
            int product = a % 10 * factor;
            yield return $"{label(i)} {a % 10}*{factor}={product:00}+{carry}={product + carry:00}\n";
            carry = (product + carry) / 10;
        }
    }

    /// <summary>Long division for the remainder: <c>bring 53-49=4</c> is remainder and next digit − the largest multiple = new remainder.</summary>
    public static IEnumerable<string> Remainder(int a, int modulus, string label)
    {
        int remainder = 0;
        foreach (char digit in $"{a}")
        {
            int current = remainder * 10 + (digit - '0');
            remainder = current % modulus;
            yield return $"{label} {current:00}-{current - remainder:00}={remainder}\n";
        }
    }
}
