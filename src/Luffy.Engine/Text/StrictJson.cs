using System.Text;
using System.Text.Json;

namespace Luffy.Engine.Text;

/// <summary>Parses JSON whose strings are all text: the platform accepts an escape of half a surrogate pair and fails when it is read.</summary>
internal static class StrictJson
{
    /// <summary>The value of one JSON text that stands at <paramref name="where"/>.</summary>
    /// <exception cref="JsonException">It is no JSON.</exception>
    /// <exception cref="LuffyException">A string holds half a surrogate pair.</exception>
    public static JsonElement Parse(string text, string where)
    {
        using JsonDocument document = JsonDocument.Parse(text);
        if (text.Contains("\\u", StringComparison.Ordinal)) CheckEscapes(text, where);
        return document.RootElement.Clone();
    }

    private static void CheckEscapes(string text, string where)
    {
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(text));
        while (reader.Read())
        {
            if (reader.TokenType is not (JsonTokenType.String or JsonTokenType.PropertyName)) continue;
            try
            {
                reader.GetString();
            }
            catch (InvalidOperationException e)
            {
                throw new LuffyException($"{where}: the string at byte {reader.TokenStartIndex} has an escape of half a surrogate pair (\\ud800 to \\udfff); expected whole characters", innerException: e);
            }
        }
    }
}
