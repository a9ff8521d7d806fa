using System.Text;
using System.Text.Json;
using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Reporting;

/// <summary>Writes what a run measures: evaluations.jsonl, and a file of problems for the splits measured before and after.</summary>
public sealed class EvaluationLog
{
    private readonly RunDirectory _run;

    /// <summary>Goes on after <paramref name="lastStep"/>: measurements of later steps, which a resumed run makes again, are cut off; −1 cuts all.</summary>
    /// <exception cref="LuffyException">The file cannot be written.</exception>
    public EvaluationLog(RunDirectory run, int lastStep)
    {
        _run = run;
        JsonLines.CutAfter(run.Evaluations, lastStep);
    }

    /// <summary>Appends a measurement.</summary>
    /// <exception cref="LuffyException">It cannot be written.</exception>
    public void Write(EvaluationRecord record)
    {
        try
        {
            File.AppendAllText(_run.Evaluations, JsonSerializer.Serialize(record, JsonLines.Options) + "\n");
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw StorageErrors.Writing(_run.Evaluations, e);
        }
    }

    /// <summary>Writes the problems of a split; the file appears whole or not at all.</summary>
    /// <exception cref="LuffyException">It cannot be written.</exception>
    public void Write(string split, bool after, IEnumerable<ProblemRecord> problems)
    {
        var text = new StringBuilder();
        foreach (ProblemRecord problem in problems) text.Append(JsonSerializer.Serialize(problem, JsonLines.Options)).Append('\n');
        AtomicFile.WriteAllText(_run.Problems(split, after), text.ToString());
    }

    /// <summary>Reads a file of one record a line.</summary>
    /// <exception cref="LuffyException">It cannot be read, or a line is no such record.</exception>
    public static IReadOnlyList<T> Read<T>(string path)
    {
        var records = new List<T>();
        try
        {
            foreach (string line in File.ReadLines(path))
                records.Add(JsonSerializer.Deserialize<T>(line, JsonLines.Options)!);
        }
        catch (JsonException e)
        {
            throw new LuffyException($"{path}:{records.Count + 1}: this is not what a run writes there ({e.Message}); move the file away and run again.", 1, e);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw new LuffyException($"{path}: cannot be read: {e.Message}", 1, e);
        }
        return records;
    }
}
