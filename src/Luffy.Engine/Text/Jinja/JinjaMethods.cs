using System.Text;

namespace Luffy.Engine.Text.Jinja;

/// <summary>The methods of strings, lists and mappings that templates call. Nothing here changes a value in place.</summary>
internal static class JinjaMethods
{
    /// <summary>A bound method, or null where the value has none of that name.</summary>
    public static JinjaFunction? Find(object? value, string name) => value switch
    {
        string text => Bind(Strings, text, "string", name),
        JinjaDictionary mapping => Bind(Mappings, mapping, "mapping", name),
        List<object?> list => Bind(Lists, list, "list", name),
        _ => null,
    };

    private static JinjaFunction? Bind<T>(Dictionary<string, Func<T, JinjaArguments, object?>> methods, T value, string kind, string name) =>
        methods.TryGetValue(name, out var method) ? new JinjaFunction($"the {kind} method '{name}'", arguments => method(value, arguments)) : null;

    private static readonly Dictionary<string, Func<JinjaDictionary, JinjaArguments, object?>> Mappings = new()
    {
        ["items"] = (d, a) => { a.Expect(); return d.Pairs(); },
        ["keys"] = (d, a) => { a.Expect(); return d.Keys.Cast<object?>().ToList(); },
        ["values"] = (d, a) => { a.Expect(); return d.Values.ToList(); },
        ["get"] = (d, a) => a.Expect("key", "default").Required(0, "key") is { } key && d.TryGetValue(key, out object? value) ? value : a.Value(1, "default"),
        ["copy"] = (d, a) => { a.Expect(); return JinjaFilters.Copy(d); },
    };

    private static readonly Dictionary<string, Func<List<object?>, JinjaArguments, object?>> Lists = new()
    {
        ["count"] = (list, a) => (long)list.Count(item => JinjaValue.Same(item, a.Expect("value").Required(0, "value"))),
        ["index"] = (list, a) => list.FindIndex(item => JinjaValue.Same(item, a.Expect("value").Required(0, "value"))) is >= 0 and var at
            ? (long)at : throw new JinjaError("the list has no such item"),
        ["copy"] = (list, a) => { a.Expect(); return list.ToList(); },
    };

    private static readonly Dictionary<string, Func<string, JinjaArguments, object?>> Strings = new()
    {
        ["strip"] = (s, a) => Strip(s, a.Expect("chars").TextOrNone(0, "chars"), left: true, right: true),
        ["lstrip"] = (s, a) => Strip(s, a.Expect("chars").TextOrNone(0, "chars"), left: true, right: false),
        ["rstrip"] = (s, a) => Strip(s, a.Expect("chars").TextOrNone(0, "chars"), left: false, right: true),
        ["upper"] = (s, a) => { a.Expect(); return JinjaCase.Upper(s); },
        ["lower"] = (s, a) => { a.Expect(); return JinjaCase.Lower(s); },
        ["title"] = (s, a) => { a.Expect(); return Title(s); },
        ["capitalize"] = (s, a) => { a.Expect(); return JinjaCase.Capitalize(s); },
        ["swapcase"] = (s, a) => { a.Expect(); return string.Concat(s.Select(c => char.IsUpper(c) ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c))); },
        ["startswith"] = (s, a) => Affixes(a.Expect("prefix").Required(0, "prefix")).Any(p => s.StartsWith(p, StringComparison.Ordinal)),
        ["endswith"] = (s, a) => Affixes(a.Expect("suffix").Required(0, "suffix")).Any(p => s.EndsWith(p, StringComparison.Ordinal)),
        ["removeprefix"] = (s, a) => s.StartsWith(a.Expect("prefix").Text(0, "prefix"), StringComparison.Ordinal) ? s[a.Text(0, "prefix").Length..] : s,
        ["removesuffix"] = (s, a) => s.EndsWith(a.Expect("suffix").Text(0, "suffix"), StringComparison.Ordinal) ? s[..^a.Text(0, "suffix").Length] : s,
        ["replace"] = (s, a) => Replace(s, a.Expect("old", "new", "count").Text(0, "old"), a.Text(1, "new"), a.Integer(2, "count", -1)),
        ["split"] = (s, a) => Split(s, a.Expect("sep", "maxsplit").TextOrNone(0, "sep"), a.Integer(1, "maxsplit", -1), fromRight: false),
        ["rsplit"] = (s, a) => Split(s, a.Expect("sep", "maxsplit").TextOrNone(0, "sep"), a.Integer(1, "maxsplit", -1), fromRight: true),
        ["splitlines"] = (s, a) => { a.Expect(); return Lines(s); },
        ["join"] = (s, a) => string.Join(s, JinjaValue.Items(a.Expect("iterable").Required(0, "iterable")).Select(JinjaValue.Text)),
        ["find"] = (s, a) => Place(s, s.IndexOf(a.Expect("sub").Text(0, "sub"), StringComparison.Ordinal)),
        ["rfind"] = (s, a) => Place(s, s.LastIndexOf(a.Expect("sub").Text(0, "sub"), StringComparison.Ordinal)),
        ["index"] = (s, a) => s.IndexOf(a.Expect("sub").Text(0, "sub"), StringComparison.Ordinal) is >= 0 and var at
            ? Place(s, at) : throw new JinjaError($"the string has no '{a.Text(0, "sub")}'"),
        ["count"] = (s, a) => a.Expect("sub").Text(0, "sub") is { Length: > 0 } sub ? (s.Length - s.Replace(sub, "", StringComparison.Ordinal).Length) / (long)sub.Length : s.Length + 1L,
        ["isdigit"] = (s, a) => { a.Expect(); return s.Length > 0 && s.All(char.IsDigit); },
        ["isnumeric"] = (s, a) => { a.Expect(); return s.Length > 0 && s.All(char.IsNumber); },
        ["isalpha"] = (s, a) => { a.Expect(); return s.Length > 0 && s.All(char.IsLetter); },
        ["isalnum"] = (s, a) => { a.Expect(); return s.Length > 0 && s.All(char.IsLetterOrDigit); },
        ["isspace"] = (s, a) => { a.Expect(); return s.Length > 0 && s.All(char.IsWhiteSpace); },
        ["islower"] = (s, a) => { a.Expect(); return IsLower(s); },
        ["isupper"] = (s, a) => { a.Expect(); return IsUpper(s); },
    };

    public static bool IsLower(string text) => text.Any(char.IsLower) && !text.Any(char.IsUpper);

    public static bool IsUpper(string text) => text.Any(char.IsUpper) && !text.Any(char.IsLower);

    public static string Strip(string text, string? characters, bool left, bool right)
    {
        int start = 0, stop = text.Length;
        while (left && start < stop && Goes(text[start])) start++;
        while (right && stop > start && Goes(text[stop - 1])) stop--;
        return text[start..stop];

        bool Goes(char c) => characters is null ? char.IsWhiteSpace(c) : characters.Contains(c, StringComparison.Ordinal);
    }

    public static string Title(string text)
    {
        var result = new StringBuilder(text.Length);
        bool inWord = false;
        foreach (char c in text)
        {
            result.Append(inWord ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c));
            inWord = char.IsLetter(c);
        }

        return result.ToString();
    }

    public static string Replace(string text, string old, string replacement, long count)
    {
        if (count < 0 && old.Length > 0) return text.Replace(old, replacement, StringComparison.Ordinal);
        if (old.Length == 0) throw new JinjaError("replacing the empty string is not supported");
        var result = new StringBuilder();
        int at = 0;
        for (; count > 0; count--)
        {
            int found = text.IndexOf(old, at, StringComparison.Ordinal);
            if (found < 0) break;
            result.Append(text, at, found - at).Append(replacement);
            at = found + old.Length;
        }

        return result.Append(text, at, text.Length - at).ToString();
    }

    public static List<object?> Lines(string text)
    {
        var lines = text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n').Split('\n').Cast<object?>().ToList();
        if (lines[^1] is "") lines.RemoveAt(lines.Count - 1);
        return lines;
    }

    private static IEnumerable<string> Affixes(object? value) => value switch
    {
        string one => [one],
        List<object?> several => several.OfType<string>(),
        _ => throw new JinjaError($"an affix must be a string, found {JinjaValue.Kind(value)}"),
    };

    // Positions count code points, as Python's do.
    private static object Place(string text, int at)
    {
        if (at < 0) return -1L;
        long count = 0;
        foreach (var _ in text.AsSpan(0, at).EnumerateRunes()) count++;
        return count;
    }

    private static List<object?> Split(string text, string? separator, long most, bool fromRight)
    {
        if (separator is "") throw new JinjaError("the separator of split is empty");
        var parts = new List<object?>();
        if (separator is null)
        {
            text = text.Trim();
            if (text.Length == 0) return parts;
        }

        while (most < 0 || parts.Count < most)
        {
            int at, length;
            if (separator is not null)
            {
                at = fromRight ? text.LastIndexOf(separator, StringComparison.Ordinal) : text.IndexOf(separator, StringComparison.Ordinal);
                length = separator.Length;
            }
            else
            {
                at = fromRight ? LastSpace(text) : FirstSpace(text);
                length = 1;
            }

            if (at < 0) break;
            string left = text[..at], right = text[(at + length)..];
            if (separator is null) (left, right) = (left.TrimEnd(), right.TrimStart());
            parts.Add(fromRight ? right : left);
            text = fromRight ? left : right;
        }

        parts.Add(text);
        if (fromRight) parts.Reverse();
        return parts;
    }

    private static int FirstSpace(string text)
    {
        for (int i = 0; i < text.Length; i++)
            if (char.IsWhiteSpace(text[i])) return i;
        return -1;
    }

    private static int LastSpace(string text)
    {
        for (int i = text.Length - 1; i >= 0; i--)
            if (char.IsWhiteSpace(text[i])) return i;
        return -1;
    }
}
