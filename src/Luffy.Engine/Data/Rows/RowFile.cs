using System.IO.Compression;

namespace Luffy.Engine.Data.Rows;

/// <summary>A data file of any format that is read here, as rows. What it is, its first bytes say, not its name.</summary>
internal abstract class RowFile(string path) : IDisposable
{
    private static readonly byte[] ParquetMark = "PAR1"u8.ToArray(), GzipMark = [0x1F, 0x8B], ArrowMark = "ARROW1"u8.ToArray();

    /// <summary>The file.</summary>
    public string Path => path;

    /// <summary>JSONL, JSON or Parquet.</summary>
    public abstract string Format { get; }

    /// <summary>Names of the fields at the top: of a Parquet file all; else those of the first rows.</summary>
    public abstract IReadOnlyList<string> Columns { get; }

    /// <summary>The rows from the first on, one at a time.</summary>
    /// <param name="columns">Fields at the top that are wanted, where reading others can be saved; null for all.</param>
    /// <exception cref="LuffyException">The file is malformed; the rows before that place have been given.</exception>
    public abstract IEnumerable<DataRow> Read(IReadOnlySet<string>? columns = null);

    /// <summary>The first row, with the named field at least; null where there is none. It is read again by <see cref="Read"/>.</summary>
    public abstract DataRow? First(string column);

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <summary>Opens a file.</summary>
    /// <exception cref="LuffyException">It cannot be read, or is of a kind that is not read here.</exception>
    public static RowFile Open(string path)
    {
        try
        {
            using FileStream stream = File.OpenRead(path);
            // What cannot go back to its beginning (a pipe) can only be lines.
            if (!stream.CanSeek) return new JsonRowFile(path, () => File.OpenRead(path), isArray: false);
            Span<byte> head = stackalloc byte[8];
            head = head[..stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)];
            if (head.StartsWith(ParquetMark)) return new ParquetRowFile(path);
            if (head.StartsWith(ArrowMark) || path.EndsWith(".arrow", StringComparison.OrdinalIgnoreCase))
                throw new LuffyException($"{path}: found an Arrow file, expected JSONL, JSON or Parquet; save the dataset with to_parquet() or to_json().");
            bool packed = head.StartsWith(GzipMark);
            Func<Stream> open = packed ? () => new GZipStream(File.OpenRead(path), CompressionMode.Decompress) : () => File.OpenRead(path);
            return new JsonRowFile(path, open, BeginsWithBracket(open));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw Unreadable(path, error);
        }
    }

    /// <summary>What is said of a file that the system does not give.</summary>
    public static LuffyException Unreadable(string path, Exception error) =>
        new($"{path}: cannot be read ({error.Message.TrimEnd('.')}); expected a JSONL, JSON or Parquet file, a folder of such files or a pattern such as train-*.parquet, or \"builtin\".", 1, error);

    private static bool BeginsWithBracket(Func<Stream> open)
    {
        using Stream stream = open();
        for (int next = stream.ReadByte(); next >= 0; next = stream.ReadByte())
        {
            // Blanks and a byte-order mark come before the text.
            if (next is ' ' or '\t' or '\r' or '\n' or 0xEF or 0xBB or 0xBF) continue;
            return next == '[';
        }

        return false;
    }
}
