using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Reporting;

/// <summary>What the files of a run directory share: snake_case names, readable text, and NaN as the string "NaN".</summary>
internal static class JsonLines
{
    public static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static JsonSerializerOptions Indented { get; } = new(Options) { WriteIndented = true };

    /// <summary>
    /// Cuts a file of one object a step after the last row of <paramref name="lastStep"/>, and a line that a killed run left
    /// unfinished with it.
    /// </summary>
    /// <exception cref="LuffyException">The file cannot be read or written, or a line before the cut is no object with a step.</exception>
    public static void CutAfter(string path, int lastStep)
    {
        if (!File.Exists(path))
            return;
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
            using var reader = new StreamReader(file, Encoding.UTF8, detectEncodingFromByteOrderMarks: false);
            long keep = 0;
            for (int line = 1; reader.ReadLine() is { } text; line++)
            {
                long end = keep + Encoding.UTF8.GetByteCount(text) + 1;
                // A last line without its newline was being written when the run was killed.
                if (end > file.Length || StepOf(text, path, line) > lastStep)
                    break;
                keep = end;
            }
            file.SetLength(keep);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw StorageErrors.Writing(path, e);
        }
    }

    private static int StepOf(string text, string path, int line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            return document.RootElement.GetProperty("step").GetInt32();
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new LuffyException($"{path}:{line}: expected an object with a \"step\", so it cannot be continued; move the file away.", 1, e);
        }
    }
}
