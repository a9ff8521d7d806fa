using System.Text;

namespace Luffy.Engine.Text.Jinja;

/// <summary>Arithmetic, subscripts and slices, as Python has them.</summary>
internal static class JinjaOperators
{
    private const int LongestRepeat = 1 << 20;

    public static object? Binary(string symbol, object? left, object? right)
    {
        if (left is Undefined missing) throw new JinjaError($"{missing.What} is undefined");
        if (right is Undefined absent) throw new JinjaError($"{absent.What} is undefined");
        if (symbol == "+" && left is string first && right is string second) return first + second;
        if (symbol == "+" && left is List<object?> a && right is List<object?> b) return (List<object?>)[.. a, .. b];
        if (symbol == "*" && (left, right) is (string, long) or (List<object?>, long)) return Repeat(left, (long)right!);
        if (symbol == "*" && (left, right) is (long, string) or (long, List<object?>)) return Repeat(right, (long)left!);
        if (JinjaValue.AsNumber(left) is not { } x || JinjaValue.AsNumber(right) is not { } y)
            throw new JinjaError($"'{symbol}' cannot be applied to {JinjaValue.Kind(left)} and {JinjaValue.Kind(right)}");
        try
        {
            return left is double || right is double || symbol == "/" ? Floats(symbol, x, y) : Integers(symbol, (long)x, (long)y, left, right);
        }
        catch (OverflowException)
        {
            throw new JinjaError($"'{symbol}' leaves the range of 64-bit integers");
        }
    }

    private static double Floats(string symbol, double x, double y)
    {
        if (y == 0 && symbol is "/" or "//" or "%" && y == 0) throw new JinjaError($"'{symbol}' divides by zero");
        return symbol switch
        {
            "+" => x + y,
            "-" => x - y,
            "*" => x * y,
            "/" => x / y,
            "//" => Math.Floor(x / y),
            "%" => x - y * Math.Floor(x / y),
            _ => Math.Pow(x, y),
        };
    }

    private static object Integers(string symbol, long x, long y, object? left, object? right)
    {
        // The doubles above lose bits beyond 2⁵³; integers are taken from the values themselves.
        if (left is long p) x = p;
        if (right is long q) y = q;
        switch (symbol)
        {
            case "+": return checked(x + y);
            case "-": return checked(x - y);
            case "*": return checked(x * y);
            case "**" when y < 0: return Math.Pow(x, y);
            case "**":
                if (y > 4096) throw new OverflowException();
                long power = 1;
                for (long i = 0; i < y; i++) power = checked(power * x);
                return power;
            default:
                if (y == 0) throw new JinjaError($"'{symbol}' divides by zero");
                long quotient = checked(x / y);
                if (x % y != 0 && x < 0 != y < 0) quotient--;
                return symbol == "//" ? quotient : x - quotient * y;
        }
    }

    private static object Repeat(object? value, long times)
    {
        int length = value is string text ? text.Length : ((List<object?>)value!).Count;
        times = Math.Max(times, 0);
        if (times * Math.Max(length, 1) > LongestRepeat) throw new JinjaError($"'*' would make something longer than {LongestRepeat}");
        if (value is string repeated) return new StringBuilder().Insert(0, repeated, (int)times).ToString();
        return Enumerable.Repeat((List<object?>)value!, (int)times).SelectMany(items => items).ToList();
    }

    public static object? Negate(object? value) => value switch
    {
        long n => (object)-n,
        double d => -d,
        bool b => b ? -1L : 0L,
        _ => throw new JinjaError($"'-' cannot be applied to {JinjaValue.Kind(value)}"),
    };

    /// <summary>value[key]; an undefined value where there is no such item.</summary>
    public static object? Item(object? value, object? key)
    {
        switch (value)
        {
            case Undefined missing:
                throw new JinjaError($"{missing.What} is undefined");
            case JinjaDictionary mapping when key is not null && mapping.TryGetValue(key, out object? member):
                return member;
            case List<object?> list when key is long index:
                long at = index < 0 ? index + list.Count : index;
                if (at >= 0 && at < list.Count) return list[(int)at];
                break;
            case string text when key is long index:
                var letters = Letters(text);
                long place = index < 0 ? index + letters.Count : index;
                if (place >= 0 && place < letters.Count) return letters[(int)place];
                break;
        }

        return key is string name ? Attribute(value, name) : new Undefined($"the item {JinjaValue.Repr(key)} of {JinjaValue.Kind(value)}");
    }

    /// <summary>value.name: a method first, then a member.</summary>
    public static object? Member(object? value, string name)
    {
        if (value is Undefined missing) throw new JinjaError($"{missing.What} is undefined, so it has no '{name}'");
        object? attribute = Attribute(value, name);
        if (attribute is Undefined && value is JinjaDictionary mapping && mapping.TryGetValue(name, out object? member)) return member;
        return attribute;
    }

    private static object? Attribute(object? value, string name) => value switch
    {
        JinjaNamespace space when space.Members.TryGetValue(name, out object? member) => member,
        JinjaLoop loop => loop.Member(name),
        _ => JinjaMethods.Find(value, name) ?? (object)new Undefined($"'{name}' of {JinjaValue.Kind(value)}"),
    };

    public static object Slice(object? value, long? start, long? stop, long? step)
    {
        if (value is Undefined missing) throw new JinjaError($"{missing.What} is undefined");
        var items = value switch
        {
            List<object?> list => list,
            string text => Letters(text),
            _ => throw new JinjaError($"{JinjaValue.Kind(value)} cannot be sliced"),
        };
        long by = step ?? 1;
        if (by == 0) throw new JinjaError("the step of a slice is zero");
        long count = items.Count, low = by > 0 ? 0 : -1, high = by > 0 ? count : count - 1;
        long from = start is { } s ? Math.Clamp(s < 0 ? s + count : s, low, high) : by > 0 ? 0 : count - 1;
        long to = stop is { } e ? Math.Clamp(e < 0 ? e + count : e, low, high) : by > 0 ? count : -1;
        var result = new List<object?>();
        for (long i = from; by > 0 ? i < to : i > to; i += by) result.Add(items[(int)i]);
        return value is string ? string.Concat(result) : result;
    }

    private static List<object?> Letters(string text) => text.EnumerateRunes().Select(rune => (object?)rune.ToString()).ToList();
}
