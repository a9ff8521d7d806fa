using System.Collections.Frozen;

namespace Luffy.Engine.Rewards.Math;

/// <summary>The names of units: which words are some, and one spelling for each.</summary>
internal static class UnitNames
{
    /// <summary>The normal spelling of a degree of angle.</summary>
    public const string Degree = "degree";

    /// <summary>The normal spelling of a radian.</summary>
    public const string Radian = "radian";

    /// <summary>The normal spelling of per cent.</summary>
    public const string Percent = "%";

    private static readonly FrozenDictionary<string, string> Spellings = ReadSpellings();

    /// <summary>Whether letters behind a number are a unit rather than unknowns: <c>cm</c>, <c>hours</c>, <c>apples</c>.</summary>
    public static bool IsUnit(string word) => Spellings.ContainsKey(word.ToLowerInvariant()) || word.Length > 3;

    /// <summary>One spelling for a unit, whatever its case, number, abbreviations and way of writing powers; empty where the words are no unit.</summary>
    public static string Normalize(string unit)
    {
        var words = unit.Replace("/", " per ", StringComparison.Ordinal).Replace("*", " ", StringComparison.Ordinal).Replace(".", "", StringComparison.Ordinal)
            .Replace("°", " degree ", StringComparison.Ordinal).Replace("^ ", "^", StringComparison.Ordinal).Split([' ', ',', '-'], StringSplitOptions.RemoveEmptyEntries);
        var parts = new List<string>();
        int power = 0;
        foreach (string word in words)
        {
            int caret = word.IndexOf('^', StringComparison.Ordinal);
            string name = caret < 0 ? word : word[..caret], raised = caret < 0 ? "" : word[caret..];
            if (name.Length == 0 && parts.Count > 0) parts[^1] += raised;
            else if (name is "square" or "sq" or "squared" or "cubic" or "cubed" or "cu")
            {
                int exponent = name[0] == 's' ? 2 : 3;
                if (name.EndsWith("ed", StringComparison.Ordinal) && parts.Count > 0) parts[^1] += "^" + exponent;
                else power = exponent;
            }
            else if (name is not ("of" or "the" or "a" or "about"))
            {
                parts.Add(Single(name) + raised + (power > 0 && name != "per" ? "^" + power : ""));
                if (name != "per") power = 0;
            }
        }

        return string.Join(' ', parts);
    }

    private static string Single(string word)
    {
        string lower = word.ToLowerInvariant();
        if (Spellings.TryGetValue(lower, out string? normal)) return normal;
        return lower.Length > 2 && lower.EndsWith('s') && !lower.EndsWith("ss", StringComparison.Ordinal) ? lower[..^1] : lower;
    }

    private static FrozenDictionary<string, string> ReadSpellings()
    {
        const string Groups = """
            % percent pct percentage percents
            degree degrees deg degs
            radian radians rad rads
            inch inches in
            foot feet ft
            yard yards yd yds
            mile miles mi
            millimeter millimeters millimetre millimetres mm
            centimeter centimeters centimetre centimetres cm cms
            decimeter decimeters decimetre decimetres dm
            meter meters metre metres m
            kilometer kilometers kilometre kilometres km kms
            nanometer nanometers nm
            milligram milligrams mg
            gram grams gm g
            kilogram kilograms kg kgs
            pound pounds lb lbs
            ounce ounces oz
            ton tons tonne tonnes
            milliliter milliliters millilitre millilitres ml
            liter liters litre litres l
            gallon gallons gal
            second seconds sec secs s
            minute minutes min mins
            hour hours hr hrs h
            day days
            week weeks wk wks
            month months
            year years yr yrs
            dollar dollars usd
            cent cents
            mph
            kph kmh
            unit units
            joule joules j
            kilojoule kilojoules kj
            watt watts w
            kilowatt kilowatts kw
            newton newtons n
            volt volts
            hertz hz
            kilohertz khz
            megahertz mhz
            kelvin kelvins
            mole moles mol
            electronvolt ev
            pascal pascals
            am
            pm
            """;
        var map = new Dictionary<string, string>();
        foreach (string group in Groups.Split('\n'))
        {
            string[] words = group.Trim().Split(' ');
            foreach (string word in words) map[word] = words[0];
        }

        return map.ToFrozenDictionary();
    }
}
