using System.Text;

namespace Luffy.Engine.Checkpoint.Gguf;

/// <summary>The key-value pairs of a GGUF file, in the order in which they were added.</summary>
internal sealed class GgufMetadata
{
    // The format's numbers of the types of values.
    private const uint UInt32Type = 4, Int32Type = 5, Float32Type = 6, BoolType = 7, StringType = 8, ArrayType = 9;
    private readonly List<(string Key, Action<BinaryWriter> Write)> _pairs = [];

    /// <summary>Number of pairs.</summary>
    public int Count => _pairs.Count;

    /// <summary>Adds a whole number.</summary>
    public void Add(string key, uint value) => Add(key, UInt32Type, w => w.Write(value));

    /// <summary>Adds a number.</summary>
    public void Add(string key, float value) => Add(key, Float32Type, w => w.Write(value));

    /// <summary>Adds a truth value.</summary>
    public void Add(string key, bool value) => Add(key, BoolType, w => w.Write(value));

    /// <summary>Adds a text.</summary>
    public void Add(string key, string value) => Add(key, StringType, w => WriteText(w, value));

    /// <summary>Adds a list of texts.</summary>
    public void Add(string key, IReadOnlyList<string> values) => AddList(key, StringType, values, WriteText);

    /// <summary>Adds a list of whole numbers.</summary>
    public void Add(string key, IReadOnlyList<int> values) => AddList(key, Int32Type, values, (w, value) => w.Write(value));

    /// <summary>Adds a list of numbers.</summary>
    public void Add(string key, IReadOnlyList<float> values) => AddList(key, Float32Type, values, (w, value) => w.Write(value));

    /// <summary>Writes every pair: its key, the number of its type, its value.</summary>
    public void Write(BinaryWriter writer)
    {
        foreach ((string key, Action<BinaryWriter> write) in _pairs)
        {
            WriteText(writer, key);
            write(writer);
        }
    }

    /// <summary>A text as the format has it: its length in bytes, then its UTF-8.</summary>
    public static void WriteText(BinaryWriter writer, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private void AddList<T>(string key, uint type, IReadOnlyList<T> values, Action<BinaryWriter, T> write) => Add(key, ArrayType, w =>
    {
        w.Write(type);
        w.Write((ulong)values.Count);
        foreach (T value in values) write(w, value);
    });

    private void Add(string key, uint type, Action<BinaryWriter> write)
    {
        _pairs.Add((key, WriteTyped));

        void WriteTyped(BinaryWriter writer)
        {
            writer.Write(type);
            write(writer);
        }
    }
}
