using System.Text.Json;
using Luffy.Engine.Text;

namespace Luffy.Engine.Evaluation;

/// <summary>Reads a JSONL file object by object and names file, line and key in every complaint.</summary>
internal static class JsonLineReader
{
    /// <summary>One object of the file.</summary>
    public readonly record struct Line(string Where, JsonElement Object)
    {
        public bool Has(string key) => Object.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null;

        /// <summary>A list of ids within a vocabulary.</summary>
        public int[] Ids(string key, int vocabulary, int minimumLength)
        {
            JsonElement list = Required(key, JsonValueKind.Array, "a list of ids");
            var ids = new int[list.GetArrayLength()];
            int i = 0;
            foreach (JsonElement item in list.EnumerateArray())
            {
                if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out int id) || id < 0 || id >= vocabulary)
                    throw Bad($"'{key}'[{i}] is {item}", $"an id from 0 to {vocabulary - 1}");
                ids[i++] = id;
            }

            return ids.Length >= minimumLength ? ids : throw Bad($"'{key}' has {ids.Length} ids", $"at least {minimumLength}");
        }

        public int Integer(string key, int minimum, int maximum)
        {
            JsonElement value = Required(key, JsonValueKind.Number, "an integer");
            return value.TryGetInt32(out int n) && n >= minimum && n <= maximum ? n : throw Bad($"'{key}' is {value}", $"an integer from {minimum} to {maximum}");
        }

        public float Number(string key)
        {
            JsonElement value = Required(key, JsonValueKind.Number, "a number");
            return Finite(value.GetSingle(), $"'{key}'");
        }

        /// <summary>A list of exactly <paramref name="count"/> numbers; null, where allowed, is NaN.</summary>
        public float[] Numbers(string key, int count, bool allowNull = false)
        {
            JsonElement list = Required(key, JsonValueKind.Array, $"a list of {count} numbers");
            if (list.GetArrayLength() != count) throw Bad($"'{key}' has {list.GetArrayLength()} entries", $"{count}, one for each response token");
            var values = new float[count];
            int i = 0;
            foreach (JsonElement item in list.EnumerateArray())
            {
                values[i] = item.ValueKind switch
                {
                    JsonValueKind.Number => Finite(item.GetSingle(), $"'{key}'[{i}]"),
                    JsonValueKind.Null when allowNull => float.NaN,
                    JsonValueKind.String when allowNull && item.GetString() == "NaN" => float.NaN,
                    _ => throw Bad($"'{key}'[{i}] is {item}", "a number"),
                };
                i++;
            }

            return values;
        }

        public bool Truth(string key) => Object.GetProperty(key).ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Bad($"'{key}' is {Object.GetProperty(key)}", "true or false"),
        };

        public string Text(string key) => Required(key, JsonValueKind.String, "a string").GetString()!;

        public LuffyException Bad(string found, string expected) => new($"{Where}: {found}; expected {expected}");

        private JsonElement Required(string key, JsonValueKind kind, string expected)
        {
            if (!Object.TryGetProperty(key, out JsonElement value)) throw Bad($"'{key}' is missing", expected);
            return value.ValueKind == kind ? value : throw Bad($"'{key}' is {value.ValueKind.ToString().ToLowerInvariant()}", expected);
        }

        private float Finite(float value, string what) => float.IsFinite(value) ? value : throw Bad($"{what} is {value}", "a finite number");
    }

    /// <summary>The file's objects, one at a time; blank lines are skipped.</summary>
    /// <exception cref="LuffyException">The file cannot be read, or a line is no JSON object.</exception>
    public static IEnumerable<Line> Read(string path)
    {
        FileStream file;
        try
        {
            file = File.OpenRead(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LuffyException($"{path}: cannot be read: {e.Message}", innerException: e);
        }

        using (file)
        {
            foreach ((int index, string text) in Utf8Lines.Read(file, path).Index())
            {
                if (string.IsNullOrWhiteSpace(text)) continue;
                yield return Parse($"{path}:{index + 1}", text);
            }
        }
    }

    /// <summary>One line that stands at <paramref name="where"/>.</summary>
    /// <exception cref="LuffyException">It is no JSON object.</exception>
    public static Line Parse(string where, string text)
    {
        try
        {
            JsonElement root = StrictJson.Parse(text, where);
            return root.ValueKind == JsonValueKind.Object ? new Line(where, root) : throw new LuffyException($"{where}: found a JSON {root.ValueKind.ToString().ToLowerInvariant()}; expected an object");
        }
        catch (JsonException e)
        {
            throw new LuffyException($"{where}: not valid JSON at byte {e.BytePositionInLine ?? 0}; expected one object a line", innerException: e);
        }
    }
}
