using System.Globalization;
using System.Text;

namespace Luffy.Engine.Text.Jinja;

/// <summary>The function <c>strftime_now</c> of chat templates, at midnight of a given day, in English as Python has it without a locale.</summary>
internal static class JinjaDate
{
    public static JinjaFunction Function(DateOnly day) => new("strftime_now", arguments => Format(day, arguments.Expect("format").Text(0, "format")));

    private static string Format(DateOnly day, string format)
    {
        var result = new StringBuilder();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                result.Append(format[i]);
                continue;
            }

            char code = format[++i];
            result.Append(code switch
            {
                'Y' => Text("yyyy"),
                'y' => Text("yy"),
                'm' => Text("MM"),
                'd' => Text("dd"),
                'B' => Text("MMMM"),
                'b' => Text("MMM"),
                'A' => Text("dddd"),
                'a' => Text("ddd"),
                'j' => day.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
                'F' => Text("yyyy-MM-dd"),
                'H' or 'M' or 'S' => "00",
                '%' => "%",
                _ => throw new JinjaError($"strftime_now does not know %{code}"),
            });
        }

        return result.ToString();

        string Text(string pattern) => day.ToString(pattern, CultureInfo.InvariantCulture);
    }
}
