using System.Text;
using System.Text.Json;
using Luffy.Engine.Checkpoint;
using Luffy.Engine.Reporting;
using Luffy.Engine.Rewards;

namespace Luffy.Engine.Evaluation;

/// <summary>
/// The responses of an evaluation as JSONL. While it runs they are appended to <c>FILE.partial</c>, whose first line says how they were made; at
/// the end they are put in order and the file appears as a whole. A run that was interrupted goes on from there.
/// </summary>
public sealed class ResponseFile : IDisposable
{
    private const string Suffix = ".partial";
    private readonly string path, partial;
    private readonly FileStream stream;
    private readonly IReadOnlyList<EvaluationProblem> problems;

    private ResponseFile(string path, IReadOnlyList<EvaluationProblem> problems, FileStream stream, List<GradedCompletion> found)
    {
        (this.path, partial, this.problems, this.stream, Found) = (path, path + Suffix, problems, stream, found);
    }

    /// <summary>The completions of an interrupted run.</summary>
    public IReadOnlyList<GradedCompletion> Found { get; }

    /// <summary>Where responses are until all are there.</summary>
    public string PartialPath => partial;

    /// <summary>Begins a file, or goes on with one.</summary>
    /// <param name="path">The file at the end.</param>
    /// <param name="settings">Everything that decides the responses.</param>
    /// <param name="problems">The problems.</param>
    /// <exception cref="LuffyException">A partial file was made with other settings or is malformed, or the file cannot be written.</exception>
    public static ResponseFile Open(string path, IReadOnlyDictionary<string, string> settings, IReadOnlyList<EvaluationProblem> problems)
    {
        string partial = path + Suffix;
        FileStream stream;
        try
        {
            stream = new FileStream(partial, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new LuffyException($"{partial}: cannot be written ({error.Message.TrimEnd('.')}); give --output a path in a folder that is there, or end the other evaluation that writes it.", 1, error);
        }

        try
        {
            List<GradedCompletion> found = [];
            if (stream.Length > 0) found = Continue(stream, partial, settings, problems);
            if (stream.Length == 0) Append(stream, JsonSerializer.Serialize(settings, JsonLines.Options));
            return new ResponseFile(path, problems, stream, found);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Keeps a completion.</summary>
    public void Add(GradedCompletion completion) => Append(stream, JsonSerializer.Serialize(ResponseRecord.Of(completion, problems[completion.Item]), JsonLines.Options));

    /// <summary>Writes all responses in order and takes the partial file away.</summary>
    public void Finish(IReadOnlyList<GradedCompletion> graded)
    {
        AtomicFile.Write(path, to =>
        {
            using var writer = new StreamWriter(to, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\n" };
            foreach (GradedCompletion completion in graded) writer.WriteLine(JsonSerializer.Serialize(ResponseRecord.Of(completion, problems[completion.Item]), JsonLines.Options));
        });
        stream.Dispose();
        File.Delete(partial);
    }

    /// <inheritdoc/>
    public void Dispose() => stream.Dispose();

    private static List<GradedCompletion> Continue(FileStream stream, string partial, IReadOnlyDictionary<string, string> settings, IReadOnlyList<EvaluationProblem> problems)
    {
        using var reader = new StreamReader(stream, Encoding.UTF8, false, leaveOpen: true);
        long whole = 0;
        var found = new List<GradedCompletion>();
        var seen = new HashSet<(int, int)>();
        for (int line = 1; reader.ReadLine() is { } text; line++)
        {
            long end = whole + Encoding.UTF8.GetByteCount(text) + 1;
            // A last line without its newline was being written when the run was killed.
            if (end > stream.Length) break;
            try
            {
                if (line == 1) Compare(JsonSerializer.Deserialize<Dictionary<string, string>>(text, JsonLines.Options)!, settings, partial);
                else if (JsonSerializer.Deserialize<ResponseRecord>(text, JsonLines.Options)!.Completion(problems) is { } completion && seen.Add((completion.Item, completion.Sample))) found.Add(completion);
            }
            catch (JsonException error)
            {
                throw new LuffyException($"{partial}:{line}: found what no interrupted evaluation writes, expected a response; take the file away to start anew.", 1, error);
            }

            whole = end;
        }

        stream.SetLength(whole);
        stream.Position = whole;
        return found;
    }

    private static void Compare(Dictionary<string, string> found, IReadOnlyDictionary<string, string> settings, string partial)
    {
        foreach (string key in settings.Keys.Union(found.Keys))
        {
            (string was, string now) = (found.GetValueOrDefault(key, "none"), settings.GetValueOrDefault(key, "none"));
            if (was != now) throw LuffyException.Usage($"{partial}: found responses of an interrupted evaluation whose {key} was {was}, expected {now}; give another --output, or take the file away to start anew.");
        }
    }

    private static void Append(FileStream stream, string line)
    {
        stream.Write(Encoding.UTF8.GetBytes(line + "\n"));
        // To the system, so that a killed process loses nothing.
        stream.Flush();
    }
}
