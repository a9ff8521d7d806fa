using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Luffy.Engine.Evaluation;

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
        return JsonSerializer.Serialize(new { ids = tokenizer.Encode(JsonLineReader.Parse(where, line).Text("text")) }, Readable);
    }

    /// <summary><c>{"ids":[…]}</c> to <c>{"text":…}</c>.</summary>
    /// <exception cref="LuffyException">The line is no such object, or an id is not of this tokenizer.</exception>
    public string DecodeJson(string line, string where)
    {
        int[] ids = JsonLineReader.Parse(where, line).Ids("ids", tokenizer.VocabularySize, 0);
        return JsonSerializer.Serialize(new { text = tokenizer.Decode(ids) }, Readable);
    }

    /// <summary>
    /// A conversation, <c>[{"role":…,"content":…},…]</c> or <c>{"messages":[…]}</c>, to <c>{"text":…,"ids":[…]}</c>. Further members of the
    /// object, such as <c>add_generation_prompt</c> or <c>tools</c>, are variables of the template.
    /// </summary>
    /// <exception cref="LuffyException">The line is no such value, or the template refuses it.</exception>
    public string RenderJson(string line, ChatTemplate template, string where)
    {
        JsonElement row = Parse(line, where, "a list of messages");
        bool generation = true;
        var variables = new Dictionary<string, object?>();
        JsonElement messages = row;
        if (row.ValueKind == JsonValueKind.Object && row.TryGetProperty("messages", out messages))
        {
            foreach (JsonProperty member in row.EnumerateObject().Where(m => m.Name != "messages"))
            {
                if (member.Name != "add_generation_prompt")
                    variables[member.Name] = member.Value;
                else
                    generation = member.Value.ValueKind is JsonValueKind.True or JsonValueKind.False ? member.Value.GetBoolean() : throw Wrong(where, member.Value.GetRawText(), "true or false in \"add_generation_prompt\"");
            }
        }
        if (messages.ValueKind != JsonValueKind.Array)
            throw Wrong(where, line, "a list of messages, or an object with one in \"messages\"");
        string text = template.Render(messages, generation, variables);
        return JsonSerializer.Serialize(new { text, ids = tokenizer.Encode(text) }, Readable);
    }

    private int Checked(int id, string where) => id >= 0 && id < tokenizer.VocabularySize
        ? id
        : throw Wrong(where, id.ToString(CultureInfo.InvariantCulture), $"an id from 0 to {tokenizer.VocabularySize - 1}");

    private static JsonElement Parse(string line, string where, string expected)
    {
        try
        {
            return StrictJson.Parse(line, where);
        }
        catch (JsonException e)
        {
            throw new LuffyException($"{where}, byte {e.BytePositionInLine}: this is not valid JSON, expected {expected}.", 1, e);
        }
    }

    private static LuffyException Wrong(string where, string found, string expected) =>
        new($"{where}: found {(found.Length > 60 ? found[..60] + "…" : found)}, expected {expected}.");
}
