using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Luffy.Engine.Configuration;
using Luffy.Engine.Data.Rows;
using Luffy.Engine.Rewards;

namespace Luffy.Engine.Data;

/// <summary>Makes an example of a row, by a mapping of its columns.</summary>
internal sealed class ExampleReader
{
    private readonly DataOptions options;
    private readonly Regex? answerPattern;
    private readonly string? systemPrompt;

    // Thousands of rows carry the same system message.
    private readonly Dictionary<string, ChatMessage> systemMessages = [];

    public ExampleReader(DataOptions options, ColumnMapping mapping)
    {
        (this.options, Mapping) = (options, mapping);
        systemPrompt = SystemPrompts.Resolve(options.SystemPrompt);
        answerPattern = options.AnswerPattern is null ? null : Compile(options.AnswerPattern);
        if (options.DemonstrationTemplate is not null && mapping is { Demonstration: null, DemonstrationTemplate: not null })
            throw LuffyException.Usage("demonstration_template is set but columns.demonstration is not; name the field that holds the worked solution.");
    }

    public ColumnMapping Mapping { get; }

    public bool ReadsDemonstrations => Mapping.Demonstration is not null;

    /// <summary>Refuses options that contradict each other.</summary>
    public static void CheckOptions(DataOptions options)
    {
        if (options.AnswerPattern is not null && options.AnswerAfter is not null)
            throw LuffyException.Usage("answer_after and answer_pattern are both set; they answer the same question, so set one.");
        if (options.DemonstrationTemplate is { } template && !WorkedSolution.HasPlace(template))
            throw LuffyException.Usage("demonstration_template has no {demonstration}; expected a template such as \"{demonstration}\\n</think>\\n\\n\\boxed{answer}\".");
        if (options.Columns.Demonstration is null && options.Columns.DemonstrationLogprobs is not null)
            throw LuffyException.Usage("columns.demonstration_logprobs is set but columns.demonstration is not; name the field that the log-probs belong to.");
    }

    /// <summary>The example of a row.</summary>
    /// <param name="row">The row.</param>
    /// <param name="namesFile">Whether a number is not enough to name the row.</param>
    public PromptExample Read(DataRow row, bool namesFile)
    {
        List<string> answers = ReadAnswers(row);
        Demonstrations demonstrations = ReadDemonstrations(row, answers[0]);
        string number = row.Number.ToString(CultureInfo.InvariantCulture);
        return new PromptExample
        {
            Id = Mapping.Id is { } id ? row.Text(id) : namesFile ? $"{Path.GetFileName(row.File)}:{number}" : number,
            Source = Mapping.Source is { } source ? row.Text(source) : Path.GetFileNameWithoutExtension(row.File),
            Messages = ReadPrompt(row),
            Answer = answers[0],
            AlternativeAnswers = answers[1..],
            Demonstrations = demonstrations.Texts,
            DemonstrationIds = demonstrations.Ids,
            DemonstrationLogProbs = demonstrations.LogProbs,
            FlaggedDemonstrations = demonstrations.Flagged,
        };
    }

    private List<ChatMessage> ReadPrompt(DataRow row)
    {
        string column = Mapping.Prompt;
        var value = row[column];
        List<ChatMessage> messages = value.ValueKind switch
        {
            JsonValueKind.String when value.GetString() is { Length: > 0 } text => [new ChatMessage("user", text)],
            JsonValueKind.Array when value.GetArrayLength() > 0 => row.Messages(column, value),
            _ => throw row.Wrong(column, DataRow.Shown(value), "a text that is not empty, or a list of {role, content}"),
        };
        // A whole conversation has the teacher's answer at its end.
        if (messages[^1].Role == "assistant") messages.RemoveAt(messages.Count - 1);
        if (messages.Count == 0) throw row.Wrong(column, DataRow.Shown(value), "a conversation with a question before the answer");
        string? system = Mapping.System is null ? systemPrompt : row.Text(Mapping.System);
        if (system is not null && messages.TrueForAll(message => message.Role != "system")) messages.Insert(0, new ChatMessage("system", system));
        if (messages[0].Role == "system") messages[0] = Shared(messages[0]);
        return messages;
    }

    private ChatMessage Shared(ChatMessage message)
    {
        const int most = 64;
        if (systemMessages.TryGetValue(message.Content, out ChatMessage? known)) return known;
        if (systemMessages.Count < most) systemMessages.Add(message.Content, message);
        return message;
    }

    private List<string> ReadAnswers(DataRow row)
    {
        string column = Mapping.Answer;
        var value = row[column];
        if (value.ValueKind != JsonValueKind.Array) return [ReadAnswer(row, row.Text(column, value))];
        if (value.GetArrayLength() == 0) throw row.Wrong(column, "[]", "a gold answer, or a list of answers of which any is right");
        return [.. value.EnumerateArray().Select(item => ReadAnswer(row, row.Text(column, item)))];
    }

    private string ReadAnswer(DataRow row, string text)
    {
        string column = Mapping.Answer, answer = text;
        if (Mapping.AnswerAfter is { Length: > 0 } mark)
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
        else if (Mapping.AnswerInBox)
        {
            // Boxes that are surely one list are all of the answer; of others the last is.
            answer = (AnswerExtraction.Boxed(text) is [var only] ? only : AnswerExtraction.LastBoxed(text)) ?? throw row.Wrong(column, Quote(text), "a worked solution with its answer in \\boxed{}");
        }

        answer = answer.Trim();
        return answer.Length > 0 ? answer : throw row.Wrong(column, Quote(text), "a gold answer that is not empty");
    }

    private sealed record Demonstrations(List<string> Texts, List<int[]> Ids, List<float[]?> LogProbs, int Flagged);

    private Demonstrations ReadDemonstrations(DataRow row, string answer)
    {
        if (Mapping.Demonstration is not { } column) return new([], [], [], 0);
        (List<string?> texts, List<int[]> ids) = ReadColumn(row, column);
        int count = texts.Count + ids.Count, flagged = 0;
        List<float[]?> logProbs = Mapping.LogProbs is { } path ? ReadLogProbs(row, path, count) : [];
        bool[] wanted = ReadFlags(row, count);
        // From the last on, so that what is taken out moves nothing that is still to be looked at. Texts come first, then ids.
        for (int i = count - 1; i >= 0; i--)
        {
            bool blank = i < texts.Count && string.IsNullOrWhiteSpace(texts[i]);
            if (wanted[i] && !blank) continue;
            if (!blank) flagged++;
            if (logProbs.Count > 0) logProbs.RemoveAt(i);
            if (i < texts.Count) texts.RemoveAt(i);
            else ids.RemoveAt(i - texts.Count);
        }

        List<string> kept = texts.ConvertAll(text => Mapping.DemonstrationTemplate is { } template ? WorkedSolution.Fill(template, text!, answer, Mapping.AnswerAfter) : text!);
        return new(kept, ids, logProbs.Exists(values => values is not null) ? logProbs : [], flagged);
    }

    private static (List<string?> Texts, List<int[]> Ids) ReadColumn(DataRow row, string column)
    {
        const string expected = "a text, a list of texts, a list of {role, content}, a list of ids or a list of such lists";
        var value = row[column];
        if (value.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null) return ([], []);
        if (value.ValueKind == JsonValueKind.String) return ([value.GetString()], []);
        if (value.ValueKind != JsonValueKind.Array) throw row.Wrong(column, DataRow.Shown(value), expected);
        if (value.GetArrayLength() == 0) return ([], []);
        var items = value.EnumerateArray();
        // The first that is there says what the others have to be.
        return items.Select(item => item.ValueKind).FirstOrDefault(kind => kind != JsonValueKind.Null, JsonValueKind.Null) switch
        {
            JsonValueKind.Null => ([.. items.Select(_ => (string?)null)], []),
            JsonValueKind.String => ([.. items.Select(item => item.ValueKind switch
            {
                JsonValueKind.String => item.GetString(),
                JsonValueKind.Null => null,
                _ => throw row.Wrong(column, DataRow.Shown(item), "a text, as before it"),
            })], []),
            JsonValueKind.Object => ([.. row.Messages(column, value).Where(message => message.Role == "assistant").Select(message => message.Content)], []),
            JsonValueKind.Number => ([], [ReadIds(row, column, value)]),
            JsonValueKind.Array => ([], [.. items.Select(item => ReadIds(row, column, item))]),
            _ => throw row.Wrong(column, DataRow.Shown(value), expected),
        };
    }

    private static int[] ReadIds(DataRow row, string column, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Array) throw row.Wrong(column, DataRow.Shown(value), "a list of ids");
        return [.. value.EnumerateArray().Select(item =>
            item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out int id) ? id : throw row.Wrong(column, DataRow.Shown(item), "an id (a 32-bit integer)"))];
    }

    private bool[] ReadFlags(DataRow row, int count)
    {
        var wanted = new bool[count];
        Array.Fill(wanted, true);
        foreach (string path in Mapping.Flags)
        {
            var value = row[path];
            switch (value.ValueKind)
            {
                // Not every row was looked at by every judge.
                case JsonValueKind.Undefined or JsonValueKind.Null:
                    break;
                case JsonValueKind.True:
                    break;
                case JsonValueKind.False:
                    Array.Clear(wanted);
                    break;
                case JsonValueKind.Array when value.GetArrayLength() == count:
                    for (int i = 0; i < count; i++)
                    {
                        wanted[i] &= value[i].ValueKind switch
                        {
                            JsonValueKind.True or JsonValueKind.Null => true,
                            JsonValueKind.False => false,
                            _ => throw row.Wrong(path, DataRow.Shown(value[i]), "true or false"),
                        };
                    }

                    break;
                default:
                    throw row.Wrong(path, DataRow.Shown(value), $"true or false, or a list of {count}, one for each demonstration");
            }
        }

        return wanted;
    }

    private static List<float[]?> ReadLogProbs(DataRow row, string path, int count)
    {
        var value = row[path];
        if (value.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null) return [.. Enumerable.Repeat<float[]?>(null, count)];
        if (value.ValueKind != JsonValueKind.Array) throw row.Wrong(path, DataRow.Shown(value), "a list of log-probs, or a list of such lists");
        bool nested = value.GetArrayLength() > 0 && value[0].ValueKind is JsonValueKind.Array or JsonValueKind.Null && count > 1;
        if (!nested && count == 1 && value.GetArrayLength() == 1 && value[0].ValueKind == JsonValueKind.Array) nested = true;
        if (!nested) return count == 1 ? [Values(value)] : throw row.Wrong(path, DataRow.Shown(value), $"a list of {count} lists, one for each demonstration");
        if (value.GetArrayLength() != count) throw row.Wrong(path, $"{value.GetArrayLength()} lists", $"{count}, one for each demonstration");
        return [.. value.EnumerateArray().Select(item => item.ValueKind == JsonValueKind.Null ? null : Values(item))];

        float[] Values(JsonElement list) => list.ValueKind != JsonValueKind.Array ? throw row.Wrong(path, DataRow.Shown(list), "a list of log-probs")
            : [.. list.EnumerateArray().Select(item => item.ValueKind switch
            {
                JsonValueKind.Number => item.GetSingle(),
                JsonValueKind.Null => float.NaN,
                _ => throw row.Wrong(path, DataRow.Shown(item), "a number, or null for a token without one"),
            })];
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
