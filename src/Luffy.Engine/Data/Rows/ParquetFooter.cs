using System.Buffers.Binary;

namespace Luffy.Engine.Data.Rows;

/// <summary>What can be told of a Parquet file before its footer is parsed.</summary>
internal static class ParquetFooter
{
    // "PAR1", the footer's length, "PAR1" again.
    private const int Smallest = 12;

    /// <summary>Whether the file has both marks and a footer that lies between them.</summary>
    public static bool Fits(Stream stream, out string found)
    {
        found = "";
        if (stream.Length < Smallest)
        {
            found = $"{stream.Length} bytes";
            return false;
        }

        Span<byte> tail = stackalloc byte[8];
        stream.Position = stream.Length - tail.Length;
        stream.ReadExactly(tail);
        int length = BinaryPrimitives.ReadInt32LittleEndian(tail);
        if (!tail[4..].SequenceEqual("PAR1"u8)) found = "its last four bytes are not PAR1";
        else if (length <= 0 || length > stream.Length - Smallest) found = $"a footer of {length} bytes in a file of {stream.Length}";
        stream.Position = 0;
        return found.Length == 0;
    }
}
