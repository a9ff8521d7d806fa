using Parquet.Meta;

namespace Luffy.Engine.Data.Rows;

/// <summary>What has to be known of a column's pages before Parquet.Net reads them.</summary>
internal static class ParquetPages
{
    // Thrift's compact protocol: the header's first field, a 32-bit integer, and in it the type of the page, 3, in zigzag.
    private static readonly byte[] Version2 = [0x15, 0x06];

    /// <summary>
    /// Whether a column of truth values is a bit each. Parquet.Net 6.1.0 takes run lengths, which pages of version 2 hold, for nothing but
    /// false: a file with them must be refused, or what it says would turn round in silence.
    /// </summary>
    public static bool HasPlainBooleans(ProgressLimitedStream stream, ColumnMetaData chunk)
    {
        if (!chunk.Encodings.Contains(Encoding.PLAIN)) return false;
        if (chunk.NumValues == 0) return true;
        Span<byte> head = stackalloc byte[2];
        stream.Allow(head.Length);
        stream.Position = chunk.DataPageOffset;
        stream.ReadExactly(head);
        return !head.SequenceEqual(Version2);
    }
}
