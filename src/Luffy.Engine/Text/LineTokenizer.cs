using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Luffy.Engine.Text;

/// <summary>Lines of text to lines of ids and back, plain or as JSON. <c>where</c> is the line's place, for messages.</summary>
public sealed class LineTokenizer(ITokenizer tokenizer)
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Text to ids separated by spaces.</summary>
    public string Encode(string line) => string.Join(' ', tokenizer.Encode(line));

    /// <summary>Ids separated by spaces to text.</summary>
    /// <exception cref="LuffyException">Something is no id of this tokenizer.</exception>
    public string Decode(string line, string where)
    {
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return tokenizer.Decode(Array.ConvertAll(words, word =>
            int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int id) ? Checked(id, where) : throw Wrong(where, $"'{word}'", "an id")));
    }

    /// <summary><c>{"text":…}</c> to <c>{"ids":[…]}</c>.</summary>
    /// <exception cref="LuffyException">The line is no such object.</exception>
    public string EncodeJson(string line, string where)
    {
        JsonElement text = Member(line, where, "text", "a text");
        if (text.ValueKind != JsonValueKind.String)
            throw Wrong(where, text.GetRawText(), "a text in \"text\"");
        return JsonSerializer.Serialize(new { ids = tokenizer.Encode(text.GetString()!) }, Readable);
    }

    /// <summary><c>{"ids":[…]}</c> to <c>{"text":…}</c>.</summary>
    /// <exception cref="LuffyException">The line is no such object, or an id is not of this tokenizer.</exception>
    public string DecodeJson(string line, string where)
    {
        JsonElement ids = Member(line, where, "ids", "a list of ids");
        if (ids.ValueKind != JsonValueKind.Array)
            throw Wrong(where, ids.GetRawText(), "a list of ids in \"ids\"");
        int[] values = [.. ids.EnumerateArray().Select(e =>
            e.ValueKind == JsonValueKind.Number && e.TryGetInt32(out int id) ? Checked(id, where) : throw Wrong(where, e.GetRawText(), "an id"))];
        return JsonSerializer.Serialize(new { text = tokenizer.Decode(values) }, Readable);
    }

    private int Checked(int id, string where) => id >= 0 && id < tokenizer.VocabularySize
        ? id
        : throw Wrong(where, id.ToString(CultureInfo.InvariantCulture), $"an id from 0 to {tokenizer.VocabularySize - 1}");

    private static JsonElement Member(string line, string where, string name, string what)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            if (document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty(name, out JsonElement member))
                return member.Clone();
            throw Wrong(where, document.RootElement.GetRawText(), $"an object with {what} in \"{name}\"");
        }
        catch (JsonException e)
        {
            throw new LuffyException($"{where}, byte {e.BytePositionInLine}: this is not valid JSON, expected an object with {what} in \"{name}\".", 1, e);
        }
    }

    private static LuffyException Wrong(string where, string found, string expected) =>
        new($"{where}: found {(found.Length > 60 ? found[..60] + "…" : found)}, expected {expected}.");
}
