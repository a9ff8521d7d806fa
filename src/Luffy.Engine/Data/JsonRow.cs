using System.Globalization;
using System.Text.Json;
using Luffy.Engine.Text;

namespace Luffy.Engine.Data;

/// <summary>One line of a JSONL file: fields by dotted path, and complaints that say file and line.</summary>
internal readonly struct JsonRow
{
    private readonly JsonElement root;

    /// <exception cref="LuffyException">The line is no JSON object.</exception>
    public JsonRow(string file, int line, string text)
    {
        (File, Line) = (file, line);
        try
        {
            root = StrictJson.Parse(text, $"{file}:{line}");
        }
        catch (JsonException error)
        {
            throw new LuffyException($"{file}:{line}: found malformed JSON at byte {error.BytePositionInLine}, expected one JSON object on the line; correct the line or take it out.", 1, error);
        }

        if (root.ValueKind != JsonValueKind.Object) throw Wrong("", Shown(root), "a JSON object");
    }

    public string File { get; }

    public int Line { get; }

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

    /// <summary>A field that is text, or a number taken as its own spelling.</summary>
    public string Text(string path) => this[path] switch
    {
        { ValueKind: JsonValueKind.String } value => value.GetString()!,
        { ValueKind: JsonValueKind.Number } value => value.GetRawText(),
        var value => throw Wrong(path, Shown(value), "a text or a number"),
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

    public LuffyException Wrong(string path, string found, string expected) =>
        new($"{File}:{Line}: {(path.Length == 0 ? "" : $"{path}: ")}found {found}, expected {expected}.");

    public static string Shown(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Undefined) return "nothing";
        string raw = value.GetRawText();
        return raw.Length <= 80 ? raw : $"{raw[..80]}…";
    }
}
