using System.Collections;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Luffy.Engine.Configuration;

/// <summary>Prints a configuration as YAML with every key and its value, in groups; reading it back gives the same configuration.</summary>
public static partial class ConfigurationWriter
{
    /// <summary>The YAML text of a configuration class of this namespace.</summary>
    public static string ToYaml(object configuration)
    {
        var text = new StringBuilder();
        string group = "";
        string parent = "";
        foreach (ConfigurationKey key in ConfigurationKey.Of(configuration.GetType()))
        {
            if (key.Group != group)
                text.Append(group.Length > 0 ? "\n# " : "# ").Append(key.Group).Append('\n');
            group = key.Group;
            int dot = key.Name.IndexOf('.', StringComparison.Ordinal);
            string prefix = dot < 0 ? "" : key.Name[..dot];
            if (prefix != parent && dot > 0)
                text.Append(prefix).Append(":\n");
            parent = prefix;
            Append(text, dot < 0 ? "" : "  ", key.Name[(dot + 1)..], key.Read(configuration));
        }
        return text.ToString();
    }

    private static void Append(StringBuilder text, string indent, string name, object? value)
    {
        if (value is string || value is not IEnumerable list || !list.Cast<object>().Any(item => ConfigurationBinder.IsRecord(item.GetType())))
        {
            text.Append(indent).Append(name).Append(": ").Append(Format(value)).Append('\n');
            return;
        }
        text.Append(indent).Append(name).Append(":\n");
        foreach (object item in list)
        {
            string lead = indent + "  - ";
            foreach (ConfigurationKey key in ConfigurationKey.Of(item.GetType()))
            {
                int start = text.Length;
                Append(text, indent + "    ", key.Name, key.Read(item));
                text.Remove(start, lead.Length).Insert(start, lead);
                lead = indent + "    ";
            }
        }
    }

    /// <summary>One value as YAML.</summary>
    internal static string Format(object? value) => value switch
    {
        null => "null",
        bool b => b ? "true" : "false",
        string s => FormatText(s),
        double d => d.ToString("R", CultureInfo.InvariantCulture).ToLowerInvariant(),
        Enum e => ConfigurationKey.SnakeCase(e.ToString()),
        IEnumerable list => "[" + string.Join(", ", list.Cast<object?>().Select(Format)) + "]",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static string FormatText(string text)
    {
        if (PlainText().IsMatch(text) && text is not ("null" or "true" or "false" or "yes" or "no" or "on" or "off"))
            return text;
        var quoted = new StringBuilder("\"");
        foreach (char c in text)
        {
            quoted.Append(c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\t' => "\\t",
                '\r' => "\\r",
                < ' ' or '\u007f' or '\u0085' or '\u2028' or '\u2029' or '\ufeff' => $"\\u{(int)c:x4}",
                _ => c.ToString(),
            });
        }
        return quoted.Append('"').ToString();
    }

    [GeneratedRegex(@"^(\.{0,2}/)*[A-Za-z_][A-Za-z0-9_./+-]*\z", RegexOptions.CultureInvariant)]
    private static partial Regex PlainText();
}
