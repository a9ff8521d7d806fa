using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Parquet;
using Parquet.Schema;

namespace Luffy.Engine.Data.Rows;

/// <summary>
/// A Parquet file as rows: lists, structures and maps of any depth, every compression and encoding that Parquet.Net reads. One row group of
/// the wanted columns is in memory at a time.
/// </summary>
internal sealed class ParquetRowFile(string path) : RowFile(path)
{
    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    private IReadOnlyList<string>? columns;

    public override string Format => "Parquet";

    public override IReadOnlyList<string> Columns
    {
        get
        {
            if (columns is not null) return columns;
            using ProgressLimitedStream stream = OpenStream();
            return columns = [.. Guard("footer", () => OpenReader(stream).Schema.Fields.Select(top => top.Name).ToArray())];
        }
    }

    public override IEnumerable<DataRow> Read(IReadOnlySet<string>? columns = null)
    {
        using ProgressLimitedStream stream = OpenStream();
        (ParquetReader reader, Field[] fields, int groups) = Guard("footer", () =>
        {
            ParquetReader opened = OpenReader(stream);
            return (opened, opened.Schema.Fields.Where(field => columns is null || columns.Contains(field.Name)).ToArray(), opened.RowGroupCount);
        });
        long number = 0;
        var buffer = new ArrayBufferWriter<byte>();
        for (int group = 0; group < groups; group++)
        {
            (long count, ParquetRecord record) = Guard($"row group {group + 1}", () =>
            {
                ParquetRowGroupReader rows = reader.OpenRowGroupReader(group);
                return (rows.RowCount, ParquetRecord.Read(rows, fields, stream));
            });
            for (long i = 0; i < count; i++)
            {
                string where = $"{Path}: row {++number}";
                JsonElement root = Guard(where[(Path.Length + 2)..], () => record.Next(buffer, WriterOptions));
                yield return new DataRow(root, Path, number, where);
            }

            Guard($"row group {group + 1}", () => { record.CheckDone(); return true; });
        }
    }

    public override DataRow? First(string column)
    {
        foreach (DataRow row in Read(new HashSet<string> { column })) return row;
        return null;
    }

    private ProgressLimitedStream OpenStream()
    {
        try
        {
            return new ProgressLimitedStream(File.OpenRead(Path));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(Path, error);
        }
    }

    private ParquetReader OpenReader(ProgressLimitedStream stream)
    {
        stream.Allow(stream.Length);
        if (!ParquetFooter.Fits(stream, out string found)) throw new ParquetException(found);
        stream.Allow(stream.Length);
        return ParquetReader.CreateAsync(stream).GetAwaiter().GetResult();
    }

    // Whatever the library throws at a file that breaks the format is one sentence with the place.
    private T Guard<T>(string place, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (NotImplementedException error)
        {
            throw new LuffyException($"{Path}: {place}: found data pages of version 2 with lists in them, which cannot be read here; write the file again with data page version 1 (pyarrow's default).", 1, error);
        }
        catch (NotSupportedException error)
        {
            throw new LuffyException($"{Path}: {place}: found what cannot be read here ({OneLine(error)}), expected a Parquet file as pyarrow writes it by default (data page version 1); write the file again.", 1, error);
        }
        catch (Exception error) when (error is not LuffyException)
        {
            throw new LuffyException($"{Path}: {place}: found damaged Parquet data ({OneLine(error)}), expected a whole Parquet file; it may be cut off: get it again.", 1, error);
        }
    }

    private static string OneLine(Exception error) => error.Message.ReplaceLineEndings(" ").TrimEnd('.', ' ');
}
