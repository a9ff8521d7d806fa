using System.Buffers;

namespace Luffy.Engine.Checkpoint;

/// <summary>
/// Writes one safetensors file as a stream: the header first, from names, types and shapes, then the tensors in that order, whole or in
/// pieces. Ends with <see cref="Complete"/>, which flushes to the disk; disposed before that, the unfinished file is deleted.
/// </summary>
public sealed class SafeTensorsWriter : IDisposable
{
    private const int ChunkElements = 1 << 18;
    private static readonly Dictionary<string, string> DefaultMetadata = new() { ["format"] = "pt" };

    private readonly string _path;
    private readonly FileStream _stream;
    private readonly IReadOnlyList<TensorSource> _tensors;
    private int _index;
    private long _remaining;
    private bool _complete;

    private SafeTensorsWriter(string path, FileStream stream, IReadOnlyList<TensorSource> tensors)
    {
        _path = path;
        _stream = stream;
        _tensors = tensors;
        _remaining = tensors.Count > 0 ? tensors[0].ByteLength : 0;
        SkipEmpty();
    }

    /// <summary>Creates the file and writes its header. <paramref name="metadata"/> defaults to <c>{"format":"pt"}</c>.</summary>
    /// <exception cref="LuffyException">The file cannot be written.</exception>
    /// <exception cref="ArgumentException">Two tensors have one name, or one is called <c>__metadata__</c>.</exception>
    public static SafeTensorsWriter Create(string path, IReadOnlyList<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var names = new HashSet<string>(StringComparer.Ordinal) { "__metadata__" };
        foreach (TensorSource tensor in tensors)
            if (!names.Add(tensor.Name)) throw new ArgumentException($"tensor \"{tensor.Name}\" is given twice or has a reserved name", nameof(tensors));
        byte[] header = SafeTensorsHeader.Serialize(tensors.Select(t => (t.Name, t.DType, t.Shape)), metadata ?? DefaultMetadata);
        FileStream? stream = null;
        try
        {
            stream = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                BufferSize = 0,
                // A disk that is too small refuses here, before minutes of writing.
                PreallocationSize = header.Length + tensors.Sum(t => t.ByteLength),
            });
            stream.Write(header);
            return new SafeTensorsWriter(path, stream, tensors);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            stream?.Dispose();
            AtomicFile.TryDelete(path);
            throw StorageErrors.Writing(path, e);
        }
    }

    /// <summary>Writes a whole file, atomically (see <see cref="AtomicFile"/>): every tensor in order.</summary>
    /// <exception cref="LuffyException">The file cannot be written; what was there before is untouched.</exception>
    public static void WriteFile(string path, IReadOnlyList<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        AtomicFile.Replace(path, temporary => WriteInPlace(temporary, tensors, metadata));

    /// <summary>Writes a whole file under its name at once, for directories that are not yet visible under theirs.</summary>
    internal static void WriteInPlace(string path, IReadOnlyList<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        using SafeTensorsWriter writer = Create(path, tensors, metadata);
        foreach (TensorSource tensor in tensors) tensor.WriteTo(writer);
        writer.Complete();
    }

    /// <summary>Appends f32 values to the tensor whose turn it is, converting them to its type. <paramref name="name"/> is checked.</summary>
    public void Write(string name, ReadOnlySpan<float> values)
    {
        if (values.IsEmpty) return;
        SafeTensorsDType dtype = Expect(name, values.Length).DType;
        int size = dtype.Size();
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Math.Min(values.Length, ChunkElements) * size);
        try
        {
            while (values.Length > 0)
            {
                int count = Math.Min(values.Length, ChunkElements);
                Span<byte> bytes = buffer.AsSpan(0, count * size);
                FloatConversion.FromSingle(dtype, values[..count], bytes);
                Append(bytes);
                values = values[count..];
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Appends stored bytes (little-endian) to the tensor whose turn it is.</summary>
    public void WriteRaw(string name, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty) return;
        int size = Expect(name, 0).DType.Size();
        if (bytes.Length % size != 0) throw new ArgumentException($"tensor \"{name}\": {bytes.Length} bytes are no whole number of elements", nameof(bytes));
        Expect(name, bytes.Length / size);
        Append(bytes);
    }

    /// <summary>Checks that every tensor is whole, then flushes file and metadata to the disk.</summary>
    /// <exception cref="InvalidOperationException">A tensor is missing or short.</exception>
    /// <exception cref="LuffyException">The disk refused.</exception>
    public void Complete()
    {
        if (_index < _tensors.Count) throw new InvalidOperationException($"tensor \"{_tensors[_index].Name}\" still lacks {_remaining} bytes");
        try
        {
            _stream.Flush(flushToDisk: true);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw StorageErrors.Writing(_path, e);
        }
        _complete = true;
    }

    private TensorSource Expect(string name, int elements)
    {
        if (_index >= _tensors.Count || _tensors[_index].Name != name)
            throw new InvalidOperationException($"tensor \"{name}\" is written out of order; expected {(_index < _tensors.Count ? _tensors[_index].Name : "no more")}");
        TensorSource tensor = _tensors[_index];
        if ((long)elements * tensor.DType.Size() > _remaining)
            throw new InvalidOperationException($"tensor \"{name}\" {SafeTensor.FormatShape(tensor.Shape)} is given more elements than its shape has");
        return tensor;
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        try
        {
            _stream.Write(bytes);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw StorageErrors.Writing(_path, e);
        }
        _remaining -= bytes.Length;
        SkipEmpty();
    }

    // A tensor that is whole, or that has no elements at all, has had its turn.
    private void SkipEmpty()
    {
        while (_remaining == 0 && _index < _tensors.Count)
        {
            _index++;
            _remaining = _index < _tensors.Count ? _tensors[_index].ByteLength : 0;
        }
    }

    /// <summary>Closes the file, and deletes it where it is not complete.</summary>
    public void Dispose()
    {
        _stream.Dispose();
        if (!_complete) AtomicFile.TryDelete(_path);
    }
}
