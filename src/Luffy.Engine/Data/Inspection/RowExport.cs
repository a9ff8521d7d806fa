using Luffy.Engine.Data.Rows;

namespace Luffy.Engine.Data.Inspection;

/// <summary>The <c>data rows</c> command: rows of any file that is read here, as JSONL.</summary>
public static class RowExport
{
    /// <summary>Writes rows, one line each.</summary>
    /// <param name="name">A file, a folder or a pattern.</param>
    /// <param name="columns">The fields at the top that are wanted; none for all.</param>
    /// <param name="limit">Most rows; 0 for all.</param>
    /// <param name="output">Where lines go.</param>
    /// <param name="cancellation">Stops between rows.</param>
    /// <exception cref="LuffyException">A file is missing or malformed, or lacks a column; the rows before are written.</exception>
    public static void Write(string name, IReadOnlyCollection<string> columns, long limit, TextWriter output, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(columns);
        ArgumentNullException.ThrowIfNull(output);
        long left = limit > 0 ? limit : long.MaxValue;
        foreach (string path in DatasetFiles.Resolve(name))
        {
            using RowFile file = RowFile.Open(path);
            if (columns.FirstOrDefault(column => !file.Columns.Contains(column)) is { } missing)
                throw LuffyException.Usage($"{path}: found no column {missing}, expected one of {string.Join(", ", file.Columns)}.");
            foreach (DataRow row in file.Read(columns.Count > 0 ? columns.ToHashSet(StringComparer.Ordinal) : null))
            {
                if (left-- == 0) return;
                cancellation.ThrowIfCancellationRequested();
                output.WriteLine(row.ToJson(columns));
            }
        }
    }
}
