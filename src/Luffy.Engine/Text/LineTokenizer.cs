using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Luffy.Engine.Evaluation;

namespace Luffy.Engine.Text;

/// <summary>How <see cref="LineTokenizer"/> treats special tokens and spaces.</summary>
/// <param name="AddSpecialTokens">Ids that the tokenizer puts around a text (BOS) are added to those of plain text.</param>
/// <param name="SkipSpecialTokens">Special tokens are left out of decoded text.</param>
/// <param name="CleanUpSpaces">Decoded text goes through <see cref="TokenizationCleanup"/>.</param>
public sealed record LineTokenizerOptions(bool AddSpecialTokens = false, bool SkipSpecialTokens = false, bool CleanUpSpaces = false);

/// <summary>Lines of text to lines of ids and back, plain or as JSON. <c>where</c> is the line's place, for messages. Safe to use from several threads.</summary>
public sealed class LineTokenizer(BpeTokenizer tokenizer, LineTokenizerOptions options)
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// What <paramref name="convert"/> makes of each row, in the rows' order, worked out by several threads a batch at a time: for a file,
    /// where nobody waits for the answer to one line before writing the next.
    /// </summary>
    /// <exception cref="LuffyException">The conversion's own, after the results of all rows before.</exception>
    public static IEnumerable<string> ConvertInParallel(IEnumerable<(string Line, string Where)> rows, Func<string, string, string> convert)
    {
        ArgumentNullException.ThrowIfNull(convert);
        foreach ((string Line, string Where)[] batch in rows.Chunk(4096))
        {
            var results = new string[batch.Length];
            var errors = new LuffyException?[batch.Length];
            Parallel.For(0, batch.Length, i =>
            {
                try
                {
                    results[i] = convert(batch[i].Line, batch[i].Where);
                }
                catch (LuffyException error)
                {
                    errors[i] = error;
                }
            });
            for (int i = 0; i < batch.Length; i++) yield return errors[i] is { } error ? throw error : results[i];
        }
    }

    /// <summary>The same conversion, but with <c>{"error":…}</c> for a line that it refuses, and a call of <paramref name="failed"/> then.</summary>
    public static Func<string, string, string> KeepGoing(Func<string, string, string> convert, Action failed) => (line, where) =>
    {
        try
        {
            return convert(line, where);
        }
        catch (LuffyException error)
        {
            failed();
            return JsonSerializer.Serialize(new { error = error.Message }, Readable);
        }
    };

    /// <summary>Text to ids separated by spaces.</summary>
    public string Encode(string line) => string.Join(' ', IdsOf(line));

    /// <summary>Ids separated by spaces to text.</summary>
    /// <exception cref="LuffyException">Something is no id of this tokenizer.</exception>
    public string Decode(string line, string where)
    {
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return TextOf(Array.ConvertAll(words, word =>
            int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int id) ? Checked(id, where) : throw Wrong(where, $"'{word}'", "an id")));
    }

    /// <summary><c>{"text":…}</c> to <c>{"ids":[…]}</c>.</summary>
    /// <exception cref="LuffyException">The line is no such object.</exception>
    public string EncodeJson(string line, string where)
    {
        return JsonSerializer.Serialize(new { ids = IdsOf(JsonLineReader.Parse(where, line).Text("text")) }, Readable);
    }

    /// <summary><c>{"ids":[…]}</c> to <c>{"text":…}</c>.</summary>
    /// <exception cref="LuffyException">The line is no such object, or an id is not of this tokenizer.</exception>
    public string DecodeJson(string line, string where)
    {
        int[] ids = JsonLineReader.Parse(where, line).Ids("ids", tokenizer.VocabularySize, 0);
        return JsonSerializer.Serialize(new { text = TextOf(ids) }, Readable);
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

    private int[] IdsOf(string text) => options.AddSpecialTokens ? tokenizer.EncodeWithSpecialTokens(text) : tokenizer.Encode(text);

    private string TextOf(int[] ids)
    {
        string text = tokenizer.Decode(ids, options.SkipSpecialTokens);
        return options.CleanUpSpaces ? TokenizationCleanup.Apply(text) : text;
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
