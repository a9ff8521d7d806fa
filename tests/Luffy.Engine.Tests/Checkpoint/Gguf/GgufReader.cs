using System.Text;

namespace Luffy.Engine.Tests.Checkpoint.Gguf;

/// <summary>A tensor as the file has it: the innermost dimension first, stored bytes.</summary>
internal sealed record GgufEntry(string Name, long[] Dimensions, uint Type, long Offset, byte[] Data)
{
    /// <summary>Elements, of F32 alone.</summary>
    public float[] Floats
    {
        get
        {
            var values = new float[Data.Length / 4];
            Buffer.BlockCopy(Data, 0, values, 0, Data.Length);
            return values;
        }
    }
}

/// <summary>Reads GGUF as its specification says, knowing nothing of the writer.</summary>
internal sealed class GgufReader
{
    public GgufReader(byte[] file)
    {
        using var reader = new BinaryReader(new MemoryStream(file), Encoding.UTF8);
        Assert.That(Encoding.ASCII.GetString(reader.ReadBytes(4)), Is.EqualTo("GGUF"));
        Assert.That(reader.ReadUInt32(), Is.EqualTo(3));
        long tensors = reader.ReadInt64(), pairs = reader.ReadInt64();
        for (long i = 0; i < pairs; i++) Metadata.Add(Text(reader), Value(reader, reader.ReadUInt32()));
        var table = new List<(string Name, long[] Dimensions, uint Type, long Offset)>();
        for (long i = 0; i < tensors; i++)
        {
            string name = Text(reader);
            long[] dimensions = [.. Enumerable.Range(0, reader.ReadInt32()).Select(_ => reader.ReadInt64())];
            table.Add((name, dimensions, reader.ReadUInt32(), reader.ReadInt64()));
        }

        long data = (reader.BaseStream.Position + 31) / 32 * 32, end = data;
        foreach ((string name, long[] dimensions, uint type, long offset) in table)
        {
            Assert.That(offset % 32, Is.Zero, name);
            Assert.That(data + offset, Is.EqualTo(end), $"{name} begins where the tensor before it ends");
            long elements = dimensions.Aggregate(1L, (a, b) => a * b);
            long bytes = type switch { 0 => elements * 4, 30 => elements * 2, 8 => elements / 32 * 34, _ => throw new InvalidDataException($"type {type}") };
            Tensors.Add(name, new GgufEntry(name, dimensions, type, offset, file[(int)(data + offset)..(int)(data + offset + bytes)]));
            end = (data + offset + bytes + 31) / 32 * 32;
        }

        Assert.That(file, Has.Length.EqualTo(end));
    }

    public Dictionary<string, object> Metadata { get; } = [];

    public Dictionary<string, GgufEntry> Tensors { get; } = [];

    private static string Text(BinaryReader reader) => Encoding.UTF8.GetString(reader.ReadBytes((int)reader.ReadUInt64()));

    private static object Value(BinaryReader reader, uint type) => type switch
    {
        4 => reader.ReadUInt32(),
        5 => reader.ReadInt32(),
        6 => reader.ReadSingle(),
        7 => reader.ReadByte() == 1,
        8 => Text(reader),
        9 => List(reader, reader.ReadUInt32(), (int)reader.ReadUInt64()),
        _ => throw new InvalidDataException($"a value of type {type}"),
    };

    private static object[] List(BinaryReader reader, uint type, int count) => [.. Enumerable.Range(0, count).Select(_ => Value(reader, type))];
}
