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

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
