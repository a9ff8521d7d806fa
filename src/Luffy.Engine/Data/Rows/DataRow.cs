using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Luffy.Engine.Text;

namespace Luffy.Engine.Data.Rows;

/// <summary>One row of a data file, whatever its format: fields by dotted path, and complaints that say where the row stands.</summary>
/// <param name="root">The row as a JSON object.</param>
/// <param name="file">The file.</param>
/// <param name="number">The line of a JSONL file, or the row of any other; from 1.</param>
/// <param name="where">What messages call the place.</param>
internal readonly struct DataRow(JsonElement root, string file, long number, string where)
{
    private const int LongestShown = 80;

    public string File => file;

    public long Number => number;

    public string Where => where;

    /// <summary>The whole row.</summary>
    public JsonElement Root => root;

    /// <summary>The value at a path such as <c>reward_model.ground_truth</c> or <c>target.0.content</c>; undefined where there is none.</summary>
    public JsonElement this[string path]
    {
        get
        {
            // A field whose own name has a dot in it comes first.
            if (root.TryGetProperty(path, out var direct)) return direct;
            var value = root;
            foreach (string part in path.Split('.'))
            {
                if (value.ValueKind == JsonValueKind.Object && value.TryGetProperty(part, out var member))
                    value = member;
                else if (value.ValueKind == JsonValueKind.Array && int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int index) && index < value.GetArrayLength())
                    value = value[index];
                else
                    return default;
            }

            return value;
        }
    }

    /// <summary>A row of JSON text.</summary>
    /// <exception cref="LuffyException">The text is no JSON object.</exception>
    public static DataRow Parse(string text, string file, long number, string where)
    {
        JsonElement root;
        try
        {
            root = StrictJson.Parse(text, where);
        }
        catch (JsonException error)
        {
            throw new LuffyException($"{where}: found malformed JSON at byte {error.BytePositionInLine}, expected one JSON object on the line; correct the line or take it out.", 1, error);
        }

        var row = new DataRow(root, file, number, where);
        return root.ValueKind == JsonValueKind.Object ? row : throw row.Wrong("", Shown(root), "a JSON object");
    }

    /// <summary>A field that is text, or a number taken as its own spelling.</summary>
    public string Text(string path) => Text(path, this[path]);

    /// <summary>A value that is text, or a number taken as its own spelling.</summary>
    public string Text(string path, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Number => value.GetRawText(),
        _ => throw Wrong(path, Shown(value), "a text or a number"),
    };

    /// <summary>A list of {role, content}.</summary>
    public List<ChatMessage> Messages(string path, JsonElement value)
    {
        var messages = new List<ChatMessage>();
        foreach (var item in value.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Object || !item.TryGetProperty("role", out var role) || role.ValueKind != JsonValueKind.String
                || !item.TryGetProperty("content", out var content) || content.ValueKind != JsonValueKind.String)
                throw Wrong(path, Shown(item), "a message with a text \"role\" and a text \"content\"");
            messages.Add(new ChatMessage(role.GetString()!, content.GetString()!));
        }

        return messages;
    }

    /// <summary>The row on one line, with some of its fields or, of none named, all.</summary>
    public string ToJson(IReadOnlyCollection<string> columns)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            foreach (JsonProperty property in root.EnumerateObject())
                if (columns.Count == 0 || columns.Contains(property.Name)) property.WriteTo(writer);
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    public LuffyException Wrong(string path, string found, string expected) =>
        new($"{where}: {(path.Length == 0 ? "" : $"{path}: ")}found {found}, expected {expected}.");

    public static string Shown(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Undefined) return "nothing";
        string raw = value.GetRawText();
        return raw.Length <= LongestShown ? raw : $"{raw[..LongestShown]}…";
    }
}
