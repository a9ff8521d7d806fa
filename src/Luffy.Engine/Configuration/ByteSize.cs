using System.Globalization;

namespace Luffy.Engine.Configuration;

/// <summary>Amounts of memory as people write them: <c>80GB</c>, <c>24 GiB</c>, <c>85899345920</c>.</summary>
public static class ByteSize
{
    // Powers of ten as makers of memory count, and of two as programs do.
    private static readonly (string Unit, double Bytes)[] Units =
    [
        ("TiB", 1L << 40), ("GiB", 1L << 30), ("MiB", 1L << 20), ("KiB", 1L << 10), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("KB", 1e3), ("B", 1), ("", 1),
    ];

    /// <summary>The number of bytes.</summary>
    /// <exception cref="LuffyException">It is no amount.</exception>
    public static long Parse(string text, string name)
    {
        foreach ((string unit, double bytes) in Units)
        {
            if (!text.EndsWith(unit, StringComparison.OrdinalIgnoreCase)) continue;
            string number = text[..^unit.Length].Trim();
            if (double.TryParse(number, NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out double value) && value * bytes is >= 1 and < 1e18)
                return (long)(value * bytes);
            break;
        }

        throw LuffyException.Usage($"{name}: found '{text}', expected an amount of memory such as 80GB, 24GiB or a number of bytes");
    }
}
