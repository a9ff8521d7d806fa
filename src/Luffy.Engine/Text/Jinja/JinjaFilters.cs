using System.Globalization;

namespace Luffy.Engine.Text.Jinja;

/// <summary>The filters after <c>|</c>. The first positional argument is what is filtered.</summary>
internal static class JinjaFilters
{
    /// <summary>Whether a filter of this name exists.</summary>
    public static bool Knows(string name) => All.ContainsKey(name);

    public static object? Apply(string name, JinjaArguments arguments) => All[name](arguments.Positional[0], arguments.Skip(1, arguments.Function));

    public static JinjaDictionary Copy(JinjaDictionary mapping)
    {
        var copy = new JinjaDictionary();
        foreach (var (key, value) in mapping) copy[key] = value;
        return copy;
    }

    private static readonly Dictionary<string, Func<object?, JinjaArguments, object?>> All = new()
    {
        ["abs"] = (x, _) => x is double d ? Math.Abs(d) : x is long n ? (object)Math.Abs(n) : throw new JinjaError($"{JinjaValue.Kind(x)} has no absolute value"),
        ["capitalize"] = (x, a) => { a.Expect(); return JinjaCase.Capitalize(JinjaValue.Text(x)); },
        ["count"] = (x, a) => { a.Expect(); return Length(x); },
        ["length"] = (x, a) => { a.Expect(); return Length(x); },
        ["default"] = Default,
        ["d"] = Default,
        ["dictsort"] = DictionarySort,
        ["escape"] = (x, a) => { a.Expect(); return Escape(JinjaValue.Text(x)); },
        ["e"] = (x, a) => { a.Expect(); return Escape(JinjaValue.Text(x)); },
        ["first"] = (x, a) => { a.Expect(); return Ends(x, first: true); },
        ["last"] = (x, a) => { a.Expect(); return Ends(x, first: false); },
        ["float"] = ToFloat,
        ["int"] = ToInteger,
        ["indent"] = Indent,
        ["items"] = (x, a) => { a.Expect(); return x is Undefined ? new List<object?>() : (x as JinjaDictionary ?? throw new JinjaError($"{JinjaValue.Kind(x)} has no items")).Pairs(); },
        ["join"] = (x, a) => string.Join(a.Expect("d", "attribute").Text(0, "d", ""), JinjaValue.Items(x).Select(i => JinjaValue.Text(Pick(i, a.Value(1, "attribute"))))),
        ["list"] = (x, a) => { a.Expect(); return JinjaValue.Items(x).ToList(); },
        ["lower"] = (x, a) => { a.Expect(); return JinjaCase.Lower(JinjaValue.Text(x)); },
        ["upper"] = (x, a) => { a.Expect(); return JinjaCase.Upper(JinjaValue.Text(x)); },
        ["map"] = Map,
        ["max"] = (x, a) => Extreme(x, a, 1),
        ["min"] = (x, a) => Extreme(x, a, -1),
        ["reject"] = (x, a) => Select(x, a, byAttribute: false, keep: false),
        ["rejectattr"] = (x, a) => Select(x, a, byAttribute: true, keep: false),
        ["select"] = (x, a) => Select(x, a, byAttribute: false, keep: true),
        ["selectattr"] = (x, a) => Select(x, a, byAttribute: true, keep: true),
        ["replace"] = (x, a) => JinjaMethods.Replace(JinjaValue.Text(x), a.Expect("old", "new", "count").Text(0, "old"), a.Text(1, "new"), a.Value(2, "count") is null ? -1 : a.Integer(2, "count")),
        ["reverse"] = (x, a) => { a.Expect(); var items = JinjaValue.Items(x).Reverse().ToList(); return x is string ? string.Concat(items) : items; },
        ["round"] = Round,
        ["safe"] = (x, a) => { a.Expect(); return JinjaValue.Text(x); },
        ["string"] = (x, a) => { a.Expect(); return JinjaValue.Text(x); },
        ["sort"] = Sort,
        ["sum"] = (x, a) => JinjaValue.Items(x).Select(i => Pick(i, a.Expect("attribute", "start").Value(0, "attribute"))).Aggregate(a.Value(1, "start", 0L), (s, i) => JinjaOperators.Binary("+", s, i)),
        ["title"] = (x, a) => { a.Expect(); return JinjaMethods.Title(JinjaValue.Text(x)); },
        ["tojson"] = (x, a) => JinjaJson.Write(x, a),
        ["trim"] = (x, a) => JinjaMethods.Strip(JinjaValue.Text(x), a.Expect("chars").TextOrNone(0, "chars"), left: true, right: true),
        ["unique"] = Unique,
    };

    private static object? Default(object? value, JinjaArguments arguments)
    {
        arguments.Expect("default_value", "boolean");
        bool replaces = value is Undefined || (arguments.Flag(1, "boolean", false) && !JinjaValue.Truth(value));
        return replaces ? arguments.Value(0, "default_value", "") : value;
    }

    private static object Length(object? value) => value switch
    {
        JinjaDictionary mapping => (long)mapping.Count,
        Undefined or string or List<object?> => (long)JinjaValue.Items(value).Count(),
        _ => throw new JinjaError($"{JinjaValue.Kind(value)} has no length"),
    };

    private static object? Ends(object? value, bool first)
    {
        var items = JinjaValue.Items(value).ToList();
        return items.Count == 0 ? new Undefined("the end of something empty") : first ? items[0] : items[^1];
    }

    private static string Escape(string text) => text
        .Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal)
        .Replace("'", "&#39;", StringComparison.Ordinal).Replace("\"", "&#34;", StringComparison.Ordinal);

    private static object ToFloat(object? value, JinjaArguments arguments)
    {
        if (JinjaValue.AsNumber(value) is { } number) return number;
        return value is string text && double.TryParse(text.Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out double parsed)
            ? parsed : arguments.Expect("default").Value(0, "default", 0.0)!;
    }

    private static object ToInteger(object? value, JinjaArguments arguments)
    {
        if (value is string text && long.TryParse(text.Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long parsed)) return parsed;
        double? number = value is string other && double.TryParse(other.Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out double d) ? d : JinjaValue.AsNumber(value);
        if (value is long whole) return whole;
        return number is { } finite && Math.Abs(finite) < long.MaxValue ? (long)finite : arguments.Expect("default", "base").Value(0, "default", 0L)!;
    }

    private static object Indent(object? value, JinjaArguments arguments)
    {
        arguments.Expect("width", "first", "blank");
        string indent = arguments.Value(0, "width", 4L) is string own ? own : new string(' ', (int)Math.Clamp(arguments.Integer(0, "width", 4), 0, 1000));
        bool first = arguments.Flag(1, "first", false), blank = arguments.Flag(2, "blank", false);
        string[] lines = JinjaValue.Text(value).Split('\n');
        for (int i = 0; i < lines.Length; i++)
            if (i == 0 ? first : blank || lines[i].Length > 0) lines[i] = indent + lines[i];
        return string.Join('\n', lines);
    }

    private static object? Pick(object? item, object? attribute)
    {
        if (attribute is null) return item;
        if (attribute is long index) return JinjaOperators.Item(item, index);
        string path = attribute as string ?? throw new JinjaError($"an attribute must be a name, found {JinjaValue.Kind(attribute)}");
        foreach (string part in path.Split('.'))
            item = JinjaOperators.Item(item, long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long at) ? at : part);
        return item;
    }

    private static object Map(object? value, JinjaArguments arguments)
    {
        if (arguments.Named.TryGetValue("attribute", out object? attribute))
        {
            arguments.Expect("attribute", "default");
            return JinjaValue.Items(value).Select(item => Pick(item, attribute) is { } found and not Undefined
                ? found : arguments.Named.TryGetValue("default", out object? absent) ? absent : Pick(item, attribute)).ToList();
        }

        string name = arguments.Text(0, "filter");
        if (!Knows(name)) throw new JinjaError($"there is no filter '{name}'");
        var rest = arguments.Skip(1, $"the filter '{name}'");
        return JinjaValue.Items(value).Select(item => All[name](item, rest)).ToList();
    }

    private static object Select(object? value, JinjaArguments arguments, bool byAttribute, bool keep)
    {
        object? attribute = byAttribute ? arguments.Required(0, "attribute") : null;
        int skip = byAttribute ? 1 : 0;
        string? test = arguments.Positional.Count > skip ? arguments.Text(skip, "test") : null;
        if (test is not null && !JinjaTests.Knows(test)) throw new JinjaError($"there is no test '{test}'");
        object?[] rest = arguments.Positional.Skip(skip + 1).ToArray();
        return JinjaValue.Items(value).Where(item =>
        {
            object? subject = Pick(item, attribute);
            bool holds = test is null ? JinjaValue.Truth(subject)
                : JinjaTests.Apply(test, new JinjaArguments($"the test '{test}'", [subject, .. rest], arguments.Named));
            return holds == keep;
        }).ToList();
    }

    private static object? Extreme(object? value, JinjaArguments arguments, int sign)
    {
        arguments.Expect("case_sensitive", "attribute");
        var order = Order(arguments.Flag(0, "case_sensitive", false), arguments.Value(1, "attribute"), sign < 0);
        object? best = new Undefined("the extreme of something empty");
        foreach (object? item in JinjaValue.Items(value))
            if (best is Undefined || order.Compare(item, best) > 0) best = item;
        return best;
    }

    private static object Sort(object? value, JinjaArguments arguments)
    {
        arguments.Expect("reverse", "case_sensitive", "attribute");
        return Sorted(
            JinjaValue.Items(value), Order(arguments.Flag(1, "case_sensitive", false), arguments.Value(2, "attribute"), arguments.Flag(0, "reverse", false)));
    }

    private static object DictionarySort(object? value, JinjaArguments arguments)
    {
        arguments.Expect("case_sensitive", "by", "reverse");
        object by = arguments.Text(1, "by", "key") == "value" ? 1L : 0L;
        var items = (value as JinjaDictionary ?? throw new JinjaError($"{JinjaValue.Kind(value)} is no mapping")).Pairs();
        return Sorted(items, Order(arguments.Flag(0, "case_sensitive", false), by, arguments.Flag(2, "reverse", false)));
    }

    private static List<object?> Sorted(IEnumerable<object?> items, Comparer<object?> order)
    {
        try
        {
            return items.Order(order).ToList();
        }
        catch (InvalidOperationException error) when (error.InnerException is JinjaError cause)
        {
            throw new JinjaError(cause.Message);
        }
    }

    private static Comparer<object?> Order(bool caseSensitive, object? attribute, bool reverse) => Comparer<object?>.Create((x, y) =>
    {
        (x, y) = (Fold(Pick(x, attribute)), Fold(Pick(y, attribute)));
        return reverse ? JinjaValue.Compare(y, x) : JinjaValue.Compare(x, y);

        object? Fold(object? item) => !caseSensitive && item is string text ? JinjaCase.Lower(text) : item;
    });

    private static object Unique(object? value, JinjaArguments arguments)
    {
        arguments.Expect("case_sensitive", "attribute");
        var kept = new List<object?>();
        var order = Order(arguments.Flag(0, "case_sensitive", false), null, reverse: false);
        foreach (object? item in JinjaValue.Items(value))
        {
            object? key = Pick(item, arguments.Value(1, "attribute"));
            if (!kept.Any(other => Pick(other, arguments.Value(1, "attribute")) is var seen && (JinjaValue.Same(seen, key) || (seen is string && key is string && order.Compare(seen, key) == 0))))
                kept.Add(item);
        }

        return kept;
    }

    private static object Round(object? value, JinjaArguments arguments)
    {
        arguments.Expect("precision", "method");
        double number = JinjaValue.AsNumber(value) ?? throw new JinjaError($"{JinjaValue.Kind(value)} cannot be rounded");
        double scale = Math.Pow(10, arguments.Integer(0, "precision", 0));
        return arguments.Text(1, "method", "common") switch
        {
            "ceil" => Math.Ceiling(number * scale) / scale,
            "floor" => Math.Floor(number * scale) / scale,
            "common" => Math.Round(number * scale, MidpointRounding.ToEven) / scale,
            var method => throw new JinjaError($"there is no rounding method '{method}'"),
        };
    }
}
