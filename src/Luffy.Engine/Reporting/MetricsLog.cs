using System.Text;
using System.Text.Json;
using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Reporting;

/// <summary>metrics.jsonl: one object a step, on disk before the next step begins.</summary>
public sealed class MetricsLog : IDisposable
{
    private readonly string _path;
    private readonly FileStream _file;

    /// <summary>Opens the file to append after <paramref name="lastStep"/>; rows of later steps, which a resumed run makes again, are cut off.</summary>
    /// <exception cref="LuffyException">It cannot be written.</exception>
    public MetricsLog(string path, int lastStep = 0)
    {
        _path = path;
        JsonLines.CutAfter(path, lastStep);
        try
        {
            _file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw StorageErrors.Writing(path, e);
        }
    }

    /// <summary>Appends one step; infinite figures and NaN are written as strings, because JSON has no number for them.</summary>
    /// <exception cref="LuffyException">It cannot be written.</exception>
    public void Write(StepMetrics metrics)
    {
        var row = new OrderedDictionary<string, object> { ["step"] = metrics.Step };
        foreach ((string name, double value) in metrics)
            row[name] = value;
        // One write for the whole line: a kill leaves a whole line or a torn last one, which the constructor cuts off.
        byte[] line = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(row, JsonLines.Options) + "\n");
        try
        {
            _file.Write(line);
            _file.Flush();
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw StorageErrors.Writing(_path, e);
        }
    }

    /// <summary>Seconds in the steps up to <paramref name="lastStep"/>, by an earlier part of the run; 0 where nothing was written.</summary>
    public static double SecondsUpTo(string path, int lastStep)
    {
        if (lastStep == 0 || !File.Exists(path)) return 0;
        double seconds = 0;
        foreach (string line in File.ReadLines(path))
        {
            try
            {
                using JsonDocument row = JsonDocument.Parse(line);
                if (row.RootElement.GetProperty("step").GetInt32() <= lastStep && row.RootElement.TryGetProperty(StepMetrics.StepTime, out JsonElement time))
                    seconds += time.GetDouble();
            }
            catch (JsonException)
            {
                // A last line that was cut off by a kill; the log's constructor takes it away.
                break;
            }
        }

        return seconds;
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
