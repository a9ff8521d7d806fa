using System.Globalization;
using System.Text;

namespace Luffy.Engine.Text.Jinja;

/// <summary>The filter <c>tojson</c> as Hugging Face defines it: Python's <c>json.dumps</c> with text left unescaped unless asked.</summary>
internal static class JinjaJson
{
    public static string Write(object? value, JinjaArguments arguments)
    {
        arguments.Expect("ensure_ascii", "indent", "separators", "sort_keys");
        var writer = new Writer
        {
            EscapesUnicode = arguments.Flag(0, "ensure_ascii", false),
            Indent = arguments.Value(1, "indent") is null ? null : arguments.Value(1, "indent") is string own ? own : new string(' ', (int)Math.Clamp(arguments.Integer(1, "indent"), 0, 100)),
            SortsKeys = arguments.Flag(3, "sort_keys", false),
        };
        writer.ItemSeparator = writer.Indent is null ? ", " : ",";
        if (arguments.Value(2, "separators") is List<object?> { Count: 2 } separators)
            (writer.ItemSeparator, writer.KeySeparator) = (JinjaValue.Text(separators[0]), JinjaValue.Text(separators[1]));
        writer.Append(value, 0);
        return writer.Output.ToString();
    }

    private sealed class Writer
    {
        public StringBuilder Output { get; } = new();

        public required bool EscapesUnicode { get; init; }

        public required string? Indent { get; init; }

        public required bool SortsKeys { get; init; }

        public string ItemSeparator { get; set; } = ", ";

        public string KeySeparator { get; set; } = ": ";

        public void Append(object? value, int depth)
        {
            switch (value)
            {
                case null: Output.Append("null"); break;
                case bool b: Output.Append(b ? "true" : "false"); break;
                case long n: Output.Append(n.ToString(CultureInfo.InvariantCulture)); break;
                case double d: Output.Append(double.IsNaN(d) ? "NaN" : double.IsInfinity(d) ? (d > 0 ? "Infinity" : "-Infinity") : JinjaValue.FloatText(d)); break;
                case string text: AppendText(text); break;
                case List<object?> list:
                    AppendAll('[', ']', depth, list, item => Append(item, depth + 1));
                    break;
                case JinjaDictionary mapping:
                    var members = SortsKeys ? mapping.OrderBy(p => JinjaValue.Text(p.Key), StringComparer.Ordinal) : mapping.AsEnumerable();
                    AppendAll('{', '}', depth, members.ToList(), member =>
                    {
                        AppendText(JinjaValue.Text(member.Key));
                        Output.Append(KeySeparator);
                        Append(member.Value, depth + 1);
                    });
                    break;
                default: throw new JinjaError($"{JinjaValue.Kind(value)} cannot be written as JSON");
            }
        }

        private void AppendAll<T>(char open, char close, int depth, List<T> items, Action<T> append)
        {
            Output.Append(open);
            for (int i = 0; i < items.Count; i++)
            {
                if (i > 0) Output.Append(ItemSeparator);
                NewLine(depth + 1);
                append(items[i]);
            }

            if (items.Count > 0) NewLine(depth);
            Output.Append(close);
        }

        private void NewLine(int depth)
        {
            if (Indent is null) return;
            Output.Append('\n');
            for (int i = 0; i < depth; i++) Output.Append(Indent);
        }

        private void AppendText(string text)
        {
            Output.Append('"');
            foreach (char c in text)
            {
                switch (c)
                {
                    case '"': Output.Append("\\\""); break;
                    case '\\': Output.Append("\\\\"); break;
                    case '\n': Output.Append("\\n"); break;
                    case '\r': Output.Append("\\r"); break;
                    case '\t': Output.Append("\\t"); break;
                    case '\b': Output.Append("\\b"); break;
                    case '\f': Output.Append("\\f"); break;
                    case < ' ' or '\x7f' when c < ' ' || EscapesUnicode: Output.Append($"\\u{(int)c:x4}"); break;
                    case > '\x7f' when EscapesUnicode: Output.Append($"\\u{(int)c:x4}"); break;
                    default: Output.Append(c); break;
                }
            }

            Output.Append('"');
        }
    }
}
