using System.Text.Json;

namespace Luffy.Engine.Text;

/// <summary>A value of a JSON file together with where it stands, so that every complaint names the file and the path.</summary>
internal readonly struct JsonNodeReader
{
    private JsonNodeReader(string file, string path, JsonElement value) => (File, Path, Value) = (file, path, value);

    public string File { get; }

    public string Path { get; }

    public JsonElement Value { get; }

    public bool IsNull => Value.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined;

    /// <summary>Reads a file whose top is an object.</summary>
    /// <exception cref="LuffyException">The file is missing, unreadable or no JSON object.</exception>
    public static JsonNodeReader Open(string file)
    {
        try
        {
            using var document = JsonDocument.Parse(
                System.IO.File.ReadAllBytes(file), new JsonDocumentOptions { AllowTrailingCommas = false, MaxDepth = 128 });
            return new JsonNodeReader(file, "", document.RootElement.Clone()).Expect(JsonValueKind.Object, "a JSON object");
        }
        catch (JsonException error)
        {
            throw new LuffyException(
                $"{file}, line {error.LineNumber + 1}, byte {error.BytePositionInLine}: found malformed JSON, expected one whole object; download the file again.", 1, error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new LuffyException($"{file}: cannot be read ({error.Message}); expected a file of a Hugging Face model directory.", 1, error);
        }
    }

    /// <summary>A member; a null value where the object lacks it, or where this is no object.</summary>
    public JsonNodeReader this[string name]
    {
        get
        {
            JsonElement member = default;
            if (Value.ValueKind == JsonValueKind.Object) Value.TryGetProperty(name, out member);
            return new JsonNodeReader(File, Path.Length == 0 ? name : $"{Path}.{name}", member);
        }
    }

    public IEnumerable<JsonNodeReader> Items()
    {
        Expect(JsonValueKind.Array, "a list");
        int i = 0;
        foreach (var item in Value.EnumerateArray()) yield return new JsonNodeReader(File, $"{Path}[{i++}]", item);
    }

    public IEnumerable<(string Name, JsonNodeReader Member)> Members()
    {
        Expect(JsonValueKind.Object, "an object");
        foreach (var member in Value.EnumerateObject())
            yield return (member.Name, new JsonNodeReader(File, $"{Path}.{member.Name}", member.Value));
    }

    public string Text() => Expect(JsonValueKind.String, "a string").Value.GetString()!;

    public string? TextOrNull() => IsNull ? null : Text();

    public int Number() =>
        Value.ValueKind == JsonValueKind.Number && Value.TryGetInt32(out int number) ? number : throw Wrong("an integer");

    public bool Flag(bool absent) => Value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Null or JsonValueKind.Undefined => absent,
        _ => throw Wrong("true or false"),
    };

    public JsonNodeReader Expect(JsonValueKind kind, string what) => Value.ValueKind == kind ? this : throw Wrong(what);

    /// <summary>The complaint that this value is not what was expected.</summary>
    public LuffyException Wrong(string expected) => new($"{File}: {(Path.Length == 0 ? "the top" : Path)}: found {Shown()}, expected {expected}.");

    private string Shown()
    {
        if (Value.ValueKind == JsonValueKind.Undefined) return "nothing";
        string raw = Value.GetRawText();
        return raw.Length <= 80 ? raw : $"{raw[..80]}…";
    }
}
