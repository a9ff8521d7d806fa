using System.Text;

namespace Luffy.Engine.Checkpoint.Gguf;

/// <summary>
/// Writes GGUF version 3, little-endian: header, key-value pairs, a table of tensors, then their data, each at a multiple of
/// <see cref="Alignment"/> bytes. Some rows of one tensor are in memory at a time.
/// </summary>
internal static class GgufWriter
{
    /// <summary>Every tensor begins at a multiple of this, counted from the first; the format's default, so no key has to say it.</summary>
    public const int Alignment = 32;

    private const uint Version = 3;
    private const int PortionElements = 1 << 20;

    /// <summary>Writes a whole file.</summary>
    /// <param name="stream">Where to; it is only written to.</param>
    /// <param name="metadata">The key-value pairs.</param>
    /// <param name="tensors">Rows of a tensor have a multiple of its type's block.</param>
    /// <returns>Bytes written.</returns>
    public static long Write(Stream stream, GgufMetadata metadata, IReadOnlyList<GgufTensor> tensors)
    {
        byte[] head = Head(metadata, tensors);
        stream.Write(head);
        long written = head.Length;
        foreach (GgufTensor tensor in tensors)
        {
            WriteData(stream, tensor);
            stream.Write(new byte[Padding(tensor.Bytes)]);
            written += tensor.Bytes + Padding(tensor.Bytes);
        }

        return written;
    }

    private static byte[] Head(GgufMetadata metadata, IReadOnlyList<GgufTensor> tensors)
    {
        var memory = new MemoryStream();
        using var writer = new BinaryWriter(memory, Encoding.UTF8);
        writer.Write("GGUF"u8);
        writer.Write(Version);
        writer.Write((ulong)tensors.Count);
        writer.Write((ulong)metadata.Count);
        metadata.Write(writer);
        long offset = 0;
        foreach (GgufTensor tensor in tensors)
        {
            GgufMetadata.WriteText(writer, tensor.Name);
            writer.Write((uint)tensor.Shape.Count);
            // The innermost dimension comes first.
            foreach (long dimension in tensor.Shape.Reverse()) writer.Write((ulong)dimension);
            writer.Write((uint)tensor.Type);
            writer.Write((ulong)offset);
            offset += tensor.Bytes + Padding(tensor.Bytes);
        }

        writer.Write(new byte[Padding(memory.Length)]);
        return memory.ToArray();
    }

    private static void WriteData(Stream stream, GgufTensor tensor)
    {
        int row = tensor.RowLength, together = tensor.RowsTogether;
        long atOnce = Math.Min(tensor.Rows, Math.Max(1, PortionElements / ((long)row * together)) * together);
        var values = new float[atOnce * row];
        var bytes = new byte[tensor.Type.Bytes(values.Length)];
        for (long first = 0; first < tensor.Rows; first += atOnce)
        {
            Span<float> some = values.AsSpan(0, (int)Math.Min(atOnce, tensor.Rows - first) * row);
            tensor.Read(first, some);
            Span<byte> stored = bytes.AsSpan(0, (int)tensor.Type.Bytes(some.Length));
            tensor.Type.Encode(some, stored);
            stream.Write(stored);
        }
    }

    private static int Padding(long bytes) => (int)((Alignment - (bytes % Alignment)) % Alignment);
}
