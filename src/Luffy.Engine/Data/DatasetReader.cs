using Luffy.Engine.Configuration;
using Luffy.Engine.Data.Rows;

namespace Luffy.Engine.Data;

/// <summary>
/// Reads prompts, gold answers and demonstrations from JSONL, JSON and Parquet files, row by row. Several files are one dataset; what their
/// fields hold, the configuration says or the first file tells.
/// </summary>
public sealed class DatasetReader
{
    private readonly DataOptions options;
    private readonly IReadOnlyList<string> files;
    private readonly ExampleReader examples;
    private readonly ColumnMapping mapping;
    // Opened for its columns, and not opened again where that can be saved: a pipe gives its rows once.
    private RowFile? first;

    private DatasetReader(DataOptions options, bool withDemonstrations)
    {
        (this.options, files) = (options, DatasetFiles.Resolve(options.DatasetName));
        ExampleReader.CheckOptions(options);
        first = RowFile.Open(files[0]);
        mapping = ColumnMapping.Of(options, first);
        (Format, Columns) = (first.Format, first.Columns);
        examples = new ExampleReader(options, withDemonstrations ? mapping : mapping with { Demonstration = null, LogProbs = null, Flags = [], DemonstrationTemplate = null });
    }

    /// <summary>JSONL, JSON or Parquet: the first file's.</summary>
    public string Format { get; }

    /// <summary>Names of the first file's fields at the top.</summary>
    public IReadOnlyList<string> Columns { get; }

    /// <summary>The files, in the order in which they are read.</summary>
    public IReadOnlyList<string> Files => files;

    /// <summary>What was recognised, and which field holds what, in words.</summary>
    public string Layout => mapping.Describe();

    /// <summary>Rows that were left out because of <see cref="DataOptions.DataSources"/>.</summary>
    public long OtherSources { get; private set; }

    /// <summary>Opens the files that <see cref="DataOptions.DatasetName"/> names.</summary>
    /// <param name="options">The name, and how rows are read.</param>
    /// <param name="withDemonstrations">Whether demonstrations are read; without them their columns are passed over.</param>
    /// <exception cref="LuffyException">A file is missing or of another kind, its columns say nothing, or the options contradict each other.</exception>
    public static DatasetReader Open(DataOptions options, bool withDemonstrations = true)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new DatasetReader(options, withDemonstrations);
    }

    /// <summary>All rows at once.</summary>
    /// <exception cref="LuffyException">As <see cref="Open"/> and <see cref="Read"/>.</exception>
    public static IReadOnlyList<PromptExample> Load(DataOptions options) => [.. Open(options).Read()];

    /// <summary>The rows, one at a time.</summary>
    /// <exception cref="LuffyException">There is none, or one is malformed: the message says file, place, found and expected.</exception>
    public IEnumerable<PromptExample> Read()
    {
        var placesById = new Dictionary<string, string>(StringComparer.Ordinal);
        var sources = new SortedSet<string>(StringComparer.Ordinal);
        long rows = 0;
        bool anyDemonstration = false;
        foreach (DataRow row in Rows())
        {
            rows++;
            PromptExample example = examples.Read(row, files.Count > 1);
            // Numbers of rows cannot come twice.
            if (mapping.Id is not null && !placesById.TryAdd(example.Id, Place(row)))
                throw new LuffyException($"{row.Where}: found the id \"{example.Id}\" of {placesById[example.Id]} again, expected a unique one; leave columns.id out to number the rows.");
            anyDemonstration |= example.Demonstrations.Count + example.DemonstrationIds.Count + example.FlaggedDemonstrations > 0;
            if (options.DataSources is { } wanted && !wanted.Contains(example.Source))
            {
                sources.Add(example.Source);
                OtherSources++;
                continue;
            }

            yield return example;
        }

        if (rows == 0) throw new LuffyException($"{options.DatasetName}: found no row, expected at least one JSON object; the dataset is empty.");
        if (OtherSources == rows)
            throw new LuffyException($"{options.DatasetName}: found the data sources {string.Join(", ", sources)}, expected at least one of data_sources ({string.Join(", ", options.DataSources!)}); correct data_sources.");
        if (examples.ReadsDemonstrations && options.Columns.Demonstration is { } column && !anyDemonstration)
            throw new LuffyException($"{options.DatasetName}: found no row with \"{column}\", expected demonstrations there; correct columns.demonstration or leave it out.");
    }

    private static string Place(DataRow row) => row.Where.EndsWith($":{row.Number}", StringComparison.Ordinal) ? $"line {row.Number}" : $"row {row.Number}";

    private IEnumerable<DataRow> Rows()
    {
        foreach (string path in files)
        {
            using RowFile file = first ?? RowFile.Open(path);
            first = null;
            foreach (DataRow row in file.Read(file is ParquetRowFile ? examples.Mapping.Fields(file.Columns) : null)) yield return row;
        }
    }
}
