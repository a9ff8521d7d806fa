using System.Collections;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Luffy.Engine.Text.Jinja;

/// <summary>
/// The values of templates and what Python does with them. A value is null (none), <see cref="Undefined"/>, bool, long, double, string,
/// a list (<c>List&lt;object?&gt;</c>), a mapping (<see cref="JinjaDictionary"/>), a <see cref="JinjaNamespace"/>, a loop or a
/// <see cref="JinjaFunction"/>.
/// </summary>
internal static class JinjaValue
{
    /// <summary>A host's value as a template's.</summary>
    /// <exception cref="LuffyException">The value is of a kind that templates do not know.</exception>
    public static object? From(object? value)
    {
        switch (value)
        {
            case null or Undefined or bool or string or long or double or List<object?> or JinjaDictionary or JinjaFunction:
                return value;
            case int or short or byte or uint:
                return System.Convert.ToInt64(value, CultureInfo.InvariantCulture);
            case float number:
                return (double)number;
            case JsonElement json:
                return FromJson(json);
            case IDictionary dictionary:
                var mapping = new JinjaDictionary();
                foreach (DictionaryEntry entry in dictionary) mapping[From(entry.Key)!] = From(entry.Value);
                return mapping;
            case IEnumerable items:
                var list = new List<object?>();
                foreach (object? item in items) list.Add(From(item));
                return list;
            default:
                throw new LuffyException($"A chat template was given a variable of type {value.GetType().Name}, which templates do not know; expected text, a number, a list or a mapping.");
        }
    }

    private static object? FromJson(JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.String: return json.GetString();
            case JsonValueKind.True: return true;
            case JsonValueKind.False: return false;
            case JsonValueKind.Number: return json.TryGetInt64(out long whole) ? (object)whole : json.GetDouble();
            case JsonValueKind.Array: return json.EnumerateArray().Select(FromJson).ToList();
            case JsonValueKind.Object:
                var mapping = new JinjaDictionary();
                foreach (var member in json.EnumerateObject()) mapping[member.Name] = FromJson(member.Value);
                return mapping;
            default: return null;
        }
    }

    public static bool Truth(object? value) => value switch
    {
        null or Undefined => false,
        bool b => b,
        long n => n != 0,
        double d => d != 0,
        string s => s.Length > 0,
        List<object?> list => list.Count > 0,
        JinjaDictionary mapping => mapping.Count > 0,
        _ => true,
    };

    public static bool Same(object? left, object? right)
    {
        if (AsNumber(left) is { } a && AsNumber(right) is { } b) return a == b;
        return (left, right) switch
        {
            (null, null) or (Undefined, Undefined) => true,
            (string x, string y) => x == y,
            (List<object?> x, List<object?> y) => x.Count == y.Count && x.Zip(y).All(pair => Same(pair.First, pair.Second)),
            (JinjaDictionary x, JinjaDictionary y) => x.Count == y.Count && x.All(p => y.TryGetValue(p.Key, out object? other) && Same(p.Value, other)),
            _ => ReferenceEquals(left, right) && left is not null,
        };
    }

    /// <summary>Python's ordering; complains about kinds that have none between them.</summary>
    public static int Compare(object? left, object? right)
    {
        if (AsNumber(left) is { } a && AsNumber(right) is { } b) return a.CompareTo(b);
        if (left is string x && right is string y) return string.CompareOrdinal(x, y);
        if (left is List<object?> p && right is List<object?> q)
        {
            for (int i = 0; i < Math.Min(p.Count, q.Count); i++)
                if (!Same(p[i], q[i])) return Compare(p[i], q[i]);
            return p.Count.CompareTo(q.Count);
        }

        throw new JinjaError($"{Kind(left)} and {Kind(right)} cannot be ordered");
    }

    /// <summary>The number that a value is in arithmetic and comparison (true is 1), or null.</summary>
    public static double? AsNumber(object? value) => value switch { bool b => b ? 1 : 0, long n => n, double d => d, _ => null };

    /// <summary>What iterating gives: items, keys, or characters.</summary>
    public static IEnumerable<object?> Items(object? value) => value switch
    {
        Undefined => [],
        List<object?> list => list,
        JinjaDictionary mapping => mapping.Keys.ToList(),
        string text => text.EnumerateRunes().Select(rune => (object?)rune.ToString()),
        _ => throw new JinjaError($"{Kind(value)} cannot be iterated"),
    };

    public static bool Contains(object? container, object? item) => container switch
    {
        string text => text.Contains(item as string ?? throw new JinjaError($"'in' a string needs a string, found {Kind(item)}"), StringComparison.Ordinal),
        JinjaDictionary mapping => item is not null && mapping.ContainsKey(item),
        _ => Items(container).Any(other => Same(other, item)),
    };

    /// <summary>What is printed: Python's <c>str</c>.</summary>
    public static string Text(object? value) => value switch
    {
        Undefined => "",
        string text => text,
        _ => Repr(value),
    };

    /// <summary>Python's <c>repr</c>.</summary>
    public static string Repr(object? value)
    {
        switch (value)
        {
            case null: return "None";
            case Undefined: return "Undefined";
            case bool b: return b ? "True" : "False";
            case long n: return n.ToString(CultureInfo.InvariantCulture);
            case double d: return FloatText(d);
            case string text:
                char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
                var result = new StringBuilder().Append(quote);
                foreach (char c in text)
                {
                    result.Append(c switch
                    {
                        '\n' => "\\n",
                        '\r' => "\\r",
                        '\t' => "\\t",
                        '\\' => "\\\\",
                        _ when c == quote => $"\\{c}",
                        _ when char.IsControl(c) => c <= 0xFF ? $"\\x{(int)c:x2}" : $"\\u{(int)c:x4}",
                        _ => c.ToString(),
                    });
                }

                return result.Append(quote).ToString();
            case JinjaTuple tuple: return $"({string.Join(", ", tuple.Select(Repr))}{(tuple.Count == 1 ? "," : "")})";
            case List<object?> list: return $"[{string.Join(", ", list.Select(Repr))}]";
            case JinjaDictionary mapping: return $"{{{string.Join(", ", mapping.Select(p => $"{Repr(p.Key)}: {Repr(p.Value)}"))}}}";
            default: throw new JinjaError($"{Kind(value)} cannot be printed");
        }
    }

    /// <summary>Python's shortest round-trip spelling of a float.</summary>
    public static string FloatText(double value)
    {
        if (double.IsNaN(value)) return "nan";
        if (double.IsInfinity(value)) return value > 0 ? "inf" : "-inf";
        // .NET and Python agree on the shortest digits and differ in where the exponent starts to be written.
        string shortest = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture);
        string sign = double.IsNegative(value) ? "-" : "";
        int mark = shortest.IndexOf('E', StringComparison.Ordinal);
        string mantissa = mark < 0 ? shortest : shortest[..mark];
        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        string digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        int whole = (point < 0 ? mantissa.Length : point) + (mark < 0 ? 0 : int.Parse(shortest.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture));
        string trimmed = digits.TrimStart('0');
        whole -= digits.Length - trimmed.Length;
        digits = trimmed.TrimEnd('0');
        if (digits.Length == 0) return sign + "0.0";
        if (whole is > 16 or < -3)
        {
            int power = whole - 1;
            return $"{sign}{digits[0]}{(digits.Length > 1 ? "." : "")}{digits[1..]}e{(power < 0 ? '-' : '+')}{Math.Abs(power):00}";
        }

        if (whole <= 0) return $"{sign}0.{new string('0', -whole)}{digits}";
        return digits.Length <= whole ? $"{sign}{digits.PadRight(whole, '0')}.0" : $"{sign}{digits[..whole]}.{digits[whole..]}";
    }

    /// <summary>A value's kind, for messages.</summary>
    public static string Kind(object? value) => value switch
    {
        null => "none",
        Undefined => "an undefined value",
        bool => "a boolean",
        long => "an integer",
        double => "a float",
        string => "a string",
        List<object?> => "a list",
        JinjaDictionary => "a mapping",
        JinjaNamespace => "a namespace",
        JinjaFunction => "a function",
        _ => "a loop",
    };
}

/// <summary>A name or member that does not exist: false, empty, printed as nothing; using it further is an error that names it.</summary>
internal sealed record Undefined(string What);

/// <summary>A list that prints with parentheses.</summary>
internal sealed class JinjaTuple(IEnumerable<object?> items) : List<object?>(items);

/// <summary>A mapping that keeps the order in which keys were first set, as Python's does.</summary>
internal sealed class JinjaDictionary() : OrderedDictionary<object, object?>(KeyComparer.Instance)
{
    /// <summary>The pairs as tuples, in order.</summary>
    public List<object?> Pairs() => this.Select(p => (object?)new JinjaTuple([p.Key, p.Value])).ToList();

    private sealed class KeyComparer : IEqualityComparer<object>
    {
        public static readonly KeyComparer Instance = new();

        public new bool Equals(object? x, object? y) => JinjaValue.Same(x, y);

        public int GetHashCode(object key) => JinjaValue.AsNumber(key) is { } number ? number.GetHashCode() : key is string text
            ? StringComparer.Ordinal.GetHashCode(text) : throw new JinjaError($"{JinjaValue.Kind(key)} cannot be a key");
    }
}

/// <summary>What <c>namespace()</c> makes: the one kind of value whose members a template may set.</summary>
internal sealed class JinjaNamespace
{
    public Dictionary<string, object?> Members { get; } = [];
}

/// <summary>Something that can be called, with positional and named arguments.</summary>
internal sealed record JinjaFunction(string Name, Func<JinjaArguments, object?> Call);

/// <summary>What went wrong while rendering; the node that was being evaluated adds the template's name and the line.</summary>
internal sealed class JinjaError(string message) : Exception(message);
