using System.Text.Json;
using System.Text.RegularExpressions;
using Luffy.Engine.Configuration;
using Luffy.Engine.Text;

namespace Luffy.Engine.Data;

/// <summary>Reads prompts, gold answers and demonstrations from a JSONL file, by the columns of the configuration.</summary>
public sealed class JsonlPromptDataset
{
    private readonly DataOptions options;
    private readonly string file;
    private readonly Regex? answerPattern;
    private readonly string? systemPrompt;
    private bool anyDemonstration;

    private JsonlPromptDataset(DataOptions options)
    {
        (this.options, file) = (options, options.DatasetName);
        systemPrompt = SystemPrompts.Resolve(options.SystemPrompt);
        if (options.AnswerPattern is not null && options.AnswerAfter is not null)
            throw LuffyException.Usage("answer_after and answer_pattern are both set; they answer the same question, so set one.");
        if (options.DemonstrationTemplate is { } template && !WorkedSolution.HasPlace(template))
            throw LuffyException.Usage("demonstration_template has no {demonstration}; expected a template such as \"{demonstration}\\n</think>\\n\\n\\boxed{answer}\".");
        if (options.DemonstrationTemplate is not null && options.Columns.Demonstration is null)
            throw LuffyException.Usage("demonstration_template is set but columns.demonstration is not; name the field that holds the worked solution.");
        answerPattern = options.AnswerPattern is null ? null : Compile(options.AnswerPattern);
    }

    /// <summary>Reads the file that <see cref="DataOptions.DatasetName"/> names.</summary>
    /// <exception cref="LuffyException">It is missing, empty or malformed (the message says file, line, found and expected), or the options contradict each other.</exception>
    public static IReadOnlyList<PromptExample> Load(DataOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new JsonlPromptDataset(options).Read();
    }

    private List<PromptExample> Read()
    {
        var examples = new List<PromptExample>();
        var linesById = new Dictionary<string, int>(StringComparer.Ordinal);
        int line = 0;
        try
        {
            using FileStream stream = File.OpenRead(file);
            // Told apart before it is read as text, which it is not.
            if (IsParquet(stream)) throw new LuffyException($"{file}: found a Parquet file, expected JSONL (one JSON object on each line); convert it first.");
            foreach (string text in Utf8Lines.Read(stream, file))
            {
                line++;
                if (string.IsNullOrWhiteSpace(text)) continue;
                var example = ReadRow(new JsonRow(file, line, text));
                if (!linesById.TryAdd(example.Id, line))
                    throw new LuffyException($"{file}:{line}: found the id \"{example.Id}\" of line {linesById[example.Id]} again, expected a unique one; leave columns.id out to number the lines.");
                examples.Add(example);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new LuffyException($"{file}: cannot be read ({error.Message}); dataset_name must be the path of a JSONL file, or \"builtin\".", 1, error);
        }

        if (examples.Count == 0)
            throw new LuffyException($"{file}: found no row, expected at least one JSON object; the dataset is empty.");
        if (options.Columns.Demonstration is { } column && !anyDemonstration)
            throw new LuffyException($"{file}: found no row with \"{column}\", expected demonstrations there; correct columns.demonstration or leave it out.");
        return examples;
    }

    /// <summary>Looks at the beginning, where the stream can go back to it.</summary>
    private static bool IsParquet(FileStream stream)
    {
        if (!stream.CanSeek) return false;
        Span<byte> head = stackalloc byte[4];
        bool found = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) == head.Length && head.SequenceEqual("PAR1"u8);
        stream.Position = 0;
        return found;
    }

    private PromptExample ReadRow(JsonRow row)
    {
        var columns = options.Columns;
        string answer = ReadAnswer(row);
        var (texts, ids) = ReadDemonstrations(row, answer);
        anyDemonstration |= texts.Count + ids.Count > 0;
        return new PromptExample
        {
            Id = columns.Id is null ? row.Line.ToString() : row.Text(columns.Id),
            Source = columns.Source is null ? Path.GetFileNameWithoutExtension(file) : row.Text(columns.Source),
            Messages = ReadPrompt(row),
            Answer = answer,
            Demonstrations = texts,
            DemonstrationIds = ids,
        };
    }

    private List<ChatMessage> ReadPrompt(JsonRow row)
    {
        string column = options.Columns.Prompt;
        var value = row[column];
        List<ChatMessage> messages = value.ValueKind switch
        {
            JsonValueKind.String when value.GetString() is { Length: > 0 } text => [new ChatMessage("user", text)],
            JsonValueKind.Array when value.GetArrayLength() > 0 => row.Messages(column, value),
            _ => throw row.Wrong(column, JsonRow.Shown(value), "a text that is not empty, or a list of {role, content}"),
        };
        string? system = options.Columns.System is null ? systemPrompt : row.Text(options.Columns.System);
        if (system is not null && messages.All(message => message.Role != "system")) messages.Insert(0, new ChatMessage("system", system));
        return messages;
    }

    private string ReadAnswer(JsonRow row)
    {
        string column = options.Columns.Answer, text = row.Text(column), answer = text;
        if (options.AnswerAfter is { Length: > 0 } mark)
        {
            int at = text.LastIndexOf(mark, StringComparison.Ordinal);
            if (at < 0) throw row.Wrong(column, Quote(text), $"a text with \"{mark}\" before the answer (answer_after)");
            answer = text[(at + mark.Length)..];
        }
        else if (answerPattern is not null)
        {
            var last = answerPattern.Matches(text).LastOrDefault() ?? throw row.Wrong(column, Quote(text), $"a text in which answer_pattern finds something: {answerPattern}");
            answer = last.Groups.Count > 1 ? last.Groups[1].Value : last.Value;
        }

        answer = answer.Trim();
        return answer.Length > 0 ? answer : throw row.Wrong(column, Quote(text), "a gold answer that is not empty");
    }

    private (List<string> Texts, List<int[]> Ids) ReadDemonstrations(JsonRow row, string answer)
    {
        var texts = new List<string>();
        var ids = new List<int[]>();
        if (options.Columns.Demonstration is not { } column) return (texts, ids);
        var value = row[column];
        const string expected = "a text, a list of texts, a list of {role, content}, a list of ids or a list of such lists";
        switch (value.ValueKind)
        {
            case JsonValueKind.Undefined or JsonValueKind.Null:
                break;
            case JsonValueKind.String:
                texts.Add(value.GetString()!);
                break;
            case JsonValueKind.Array when value.GetArrayLength() > 0:
                switch (value[0].ValueKind)
                {
                    case JsonValueKind.String:
                        foreach (var item in value.EnumerateArray())
                            texts.Add(item.ValueKind == JsonValueKind.String ? item.GetString()! : throw row.Wrong(column, JsonRow.Shown(item), "a text, as before it"));
                        break;
                    case JsonValueKind.Object:
                        texts.AddRange(row.Messages(column, value).Where(message => message.Role == "assistant").Select(message => message.Content));
                        break;
                    case JsonValueKind.Number:
                        ids.Add(ReadIds(row, column, value));
                        break;
                    case JsonValueKind.Array:
                        foreach (var item in value.EnumerateArray()) ids.Add(ReadIds(row, column, item));
                        break;
                    default:
                        throw row.Wrong(column, JsonRow.Shown(value), expected);
                }

                break;
            case JsonValueKind.Array:
                break;
            default:
                throw row.Wrong(column, JsonRow.Shown(value), expected);
        }

        texts.RemoveAll(string.IsNullOrWhiteSpace);
        if (options.DemonstrationTemplate is { } template)
            texts = texts.ConvertAll(text => WorkedSolution.Fill(template, text, answer, options.AnswerAfter));
        return (texts, ids);
    }

    private static int[] ReadIds(JsonRow row, string column, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Array) throw row.Wrong(column, JsonRow.Shown(value), "a list of ids");
        return [.. value.EnumerateArray().Select(item =>
            item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out int id) ? id : throw row.Wrong(column, JsonRow.Shown(item), "an id (a 32-bit integer)"))];
    }

    private static Regex Compile(string pattern)
    {
        try
        {
            // Without backtracking no pattern can hang on a long text.
            return new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException)
        {
            throw LuffyException.Usage($"answer_pattern: found \"{pattern}\", which cannot be compiled ({error.Message}); expected a regular expression without look-around and back-references.");
        }
    }

    private static string Quote(string text) => $"\"{(text.Length <= 80 ? text : $"{text[..80]}…").ReplaceLineEndings("\\n")}\"";
}
