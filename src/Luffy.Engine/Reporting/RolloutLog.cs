using System.Globalization;
using System.Text.Json;
using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Reporting;

/// <summary>rollouts/step-NNNNNN.jsonl: every row of a step, one object a line.</summary>
public sealed class RolloutLog
{
    private const string FilePrefix = "step-";
    private readonly string _directory;

    /// <summary>Opens the folder; files of steps after <paramref name="lastStep"/>, which a resumed run makes again, are removed.</summary>
    /// <exception cref="LuffyException">The folder cannot be written.</exception>
    public RolloutLog(string directory, int lastStep = 0)
    {
        _directory = directory;
        try
        {
            Directory.CreateDirectory(directory);
            foreach (string file in Directory.EnumerateFiles(directory, FilePrefix + "*.jsonl"))
            {
                string number = Path.GetFileNameWithoutExtension(file)[FilePrefix.Length..];
                if (int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int step) && step > lastStep)
                    File.Delete(file);
            }
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw StorageErrors.Writing(directory, e);
        }
    }

    /// <summary>Where a step's rows are.</summary>
    public string PathOf(int step) => Path.Combine(_directory, $"{FilePrefix}{step:d6}.jsonl");

    /// <summary>Writes a step's rows; the file appears whole or not at all.</summary>
    /// <exception cref="LuffyException">It cannot be written.</exception>
    public void Write(int step, IEnumerable<RolloutRecord> rows) => AtomicFile.Write(PathOf(step), stream =>
    {
        foreach (RolloutRecord row in rows)
        {
            JsonSerializer.Serialize(stream, row, JsonLines.Options);
            stream.WriteByte((byte)'\n');
        }
    });
}
