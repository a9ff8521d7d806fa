using System.Globalization;
using System.Text;

namespace Luffy.Engine.Text.Unicode;

/// <summary>
/// Unicode normalisation forms C and D (UAX #15). <see cref="string.Normalize()"/> cannot serve: with InvariantGlobalization, which the
/// standalone binary uses, it leaves text beyond ASCII as it is, and ids would then depend on how the binary was built.
/// </summary>
public static class NfcNormalizer
{
    private const int HangulBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TrailBase = 0x11A7;
    private const int LeadCount = 19, VowelCount = 21, TrailCount = 28, HangulCount = LeadCount * VowelCount * TrailCount;

    private static readonly Lazy<Tables> Loaded = new(ReadTables);

    private sealed record Tables(
        Dictionary<int, int[]> Decompositions, Dictionary<(int First, int Second), int> Compositions, Dictionary<int, byte> Classes);

    /// <summary>The text in form C; the same instance where it already is.</summary>
    public static string Normalize(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        // Nothing below U+0300 decomposes into, combines with or reorders around anything below U+0300.
        if (text.AsSpan().IndexOfAnyExceptInRange('\0', '\u02FF') < 0) return text;

        var points = Decomposed(text);
        Compose(points, Loaded.Value);
        return Text(points);
    }

    /// <summary>The text in form D; the same instance where it is ASCII.</summary>
    public static string Decompose(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Ascii.IsValid(text) ? text : Text(Decomposed(text));
    }

    private static List<int> Decomposed(string text)
    {
        var tables = Loaded.Value;
        var points = new List<int>(text.Length + 8);
        foreach (var rune in text.EnumerateRunes()) Decompose(rune.Value, points, tables);
        Reorder(points, tables);
        return points;
    }

    private static string Text(List<int> points)
    {
        var result = new StringBuilder(points.Count);
        Span<char> pair = stackalloc char[2];
        foreach (int point in points) result.Append(pair[..new Rune(point).EncodeToUtf16(pair)]);
        return result.ToString();
    }

    private static void Decompose(int point, List<int> output, Tables tables)
    {
        int hangul = point - HangulBase;
        if ((uint)hangul < HangulCount)
        {
            output.Add(LeadBase + hangul / (VowelCount * TrailCount));
            output.Add(VowelBase + hangul % (VowelCount * TrailCount) / TrailCount);
            if (hangul % TrailCount != 0) output.Add(TrailBase + hangul % TrailCount);
        }
        else if (tables.Decompositions.TryGetValue(point, out int[]? parts))
        {
            foreach (int part in parts) Decompose(part, output, tables);
        }
        else
        {
            output.Add(point);
        }
    }

    private static void Reorder(List<int> points, Tables tables)
    {
        // Stable insertion sort of every run of marks by combining class; runs are short in any text that people write.
        int runStart = 0;
        for (int i = 0; i <= points.Count; i++)
        {
            if (i < points.Count && tables.Classes.ContainsKey(points[i])) continue;
            if (i - runStart > 1)
            {
                var run = points.GetRange(runStart, i - runStart).OrderBy(p => tables.Classes[p]).ToList();
                for (int k = 0; k < run.Count; k++) points[runStart + k] = run[k];
            }

            runStart = i + 1;
        }
    }

    private static void Compose(List<int> points, Tables tables)
    {
        int starter = -1, lastClass = -1, write = 0;
        for (int read = 0; read < points.Count; read++)
        {
            int point = points[read];
            int combiningClass = tables.Classes.GetValueOrDefault(point);
            bool blocked = lastClass >= combiningClass && lastClass >= 0;
            if (starter >= 0 && !blocked && TryCompose(points[starter], point, tables, out int composed))
            {
                points[starter] = composed;
                continue;
            }

            points[write] = point;
            if (combiningClass == 0)
            {
                starter = write;
                lastClass = -1;
            }
            else
            {
                lastClass = combiningClass;
            }

            write++;
        }

        points.RemoveRange(write, points.Count - write);
    }

    private static bool TryCompose(int first, int second, Tables tables, out int composed)
    {
        int lead = first - LeadBase, vowel = second - VowelBase;
        if ((uint)lead < LeadCount && (uint)vowel < VowelCount)
        {
            composed = HangulBase + (lead * VowelCount + vowel) * TrailCount;
            return true;
        }

        int syllable = first - HangulBase, trail = second - TrailBase;
        if ((uint)syllable < HangulCount && syllable % TrailCount == 0 && trail is > 0 and < TrailCount)
        {
            composed = first + trail;
            return true;
        }

        return tables.Compositions.TryGetValue((first, second), out composed);
    }

    private static Tables ReadTables()
    {
        using var stream = typeof(NfcNormalizer).Assembly.GetManifestResourceStream("canonical-normalization.txt")
            ?? throw new InvalidOperationException("The resource canonical-normalization.txt is missing from this build.");
        using var reader = new StreamReader(stream);
        var tables = new Tables([], [], []);
        while (reader.ReadLine() is { } line)
        {
            int mark = line.AsSpan().IndexOfAny("=!-#");
            if (line[mark] == '#') continue;
            int point = Hex(line[..mark]);
            if (line[mark] == '-')
            {
                int colon = line.IndexOf(':', StringComparison.Ordinal);
                byte combiningClass = byte.Parse(line.AsSpan(colon + 1), CultureInfo.InvariantCulture);
                for (int p = point; p <= Hex(line[(mark + 1)..colon]); p++) tables.Classes[p] = combiningClass;
                continue;
            }

            int[] parts = line[(mark + 1)..].Split(' ').Select(Hex).ToArray();
            tables.Decompositions[point] = parts;
            if (line[mark] == '=') tables.Compositions[(parts[0], parts[1])] = point;
        }

        return tables;
    }

    private static int Hex(string text) => int.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
