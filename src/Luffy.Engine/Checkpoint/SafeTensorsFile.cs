using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Luffy.Engine.Checkpoint;

/// <summary>
/// One safetensors file, open for reading. The header is read and validated at once; data are streamed from the file at each read, so
/// opening is cheap however large the file. Reads may run on several threads.
/// </summary>
public sealed class SafeTensorsFile : IDisposable
{
    private const int ChunkBytes = 1 << 20;

    private readonly SafeFileHandle _handle;
    private readonly Dictionary<string, SafeTensor> _byName;

    private SafeTensorsFile(string path, SafeFileHandle handle, SafeTensorsHeader header)
    {
        Path = path;
        _handle = handle;
        Tensors = header.Tensors;
        Metadata = header.Metadata;
        _byName = header.Tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
    }

    /// <summary>The file's path, as given.</summary>
    public string Path { get; }

    /// <summary>Every tensor, in the order of its bytes in the file.</summary>
    public IReadOnlyList<SafeTensor> Tensors { get; }

    /// <summary>The header's <c>__metadata__</c>; empty where there is none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and validates its header.</summary>
    /// <exception cref="LuffyException">The file is missing, unreadable, truncated or malformed; the message says where and how.</exception>
    public static SafeTensorsFile Open(string path)
    {
        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            long fileLength = RandomAccess.GetLength(handle);
            if (fileLength < SafeTensorsHeader.PrefixLength)
                throw new LuffyException($"{path}: the file has {fileLength} bytes, too few for a safetensors header; it is truncated, copy or download it again.");
            Span<byte> prefix = stackalloc byte[SafeTensorsHeader.PrefixLength];
            ReadExactly(path, handle, prefix, 0);
            int headerLength = SafeTensorsHeader.CheckLength(path, BitConverter.ToUInt64(prefix), fileLength);
            var json = new byte[headerLength];
            ReadExactly(path, handle, json, SafeTensorsHeader.PrefixLength);
            return new SafeTensorsFile(path, handle, SafeTensorsHeader.Parse(path, json, fileLength));
        }
        catch (Exception e)
        {
            handle?.Dispose();
            if (StorageErrors.IsStorageError(e)) throw StorageErrors.Reading(path, e);
            throw;
        }
    }

    /// <summary>Looks a tensor up by name.</summary>
    public bool TryGet(string name, [NotNullWhen(true)] out SafeTensor? tensor) => _byName.TryGetValue(name, out tensor);

    /// <summary>The tensor of this name.</summary>
    /// <exception cref="LuffyException">There is none.</exception>
    public SafeTensor Get(string name) => _byName.TryGetValue(name, out SafeTensor? tensor)
        ? tensor
        : throw new LuffyException($"{Path}: tensor \"{name}\" is missing (the file holds {Tensors.Count} tensors).");

    /// <summary>Reads a whole F32, BF16 or F16 tensor as f32 (exact). <paramref name="destination"/> has its element count.</summary>
    /// <exception cref="LuffyException">Missing, not of a floating-point weight type, of another size, or unreadable.</exception>
    public void ReadFloats(string name, Span<float> destination)
    {
        SafeTensor tensor = Get(name);
        if (tensor.ElementCount != destination.Length)
            throw new LuffyException($"{Path}: tensor \"{name}\" {tensor.ShapeText} has {tensor.ElementCount} elements, expected {destination.Length}.");
        ReadFloats(tensor, 0, destination);
    }

    /// <summary>Reads a part of a tensor of the shape <paramref name="shape"/>, from element <paramref name="start"/> on.</summary>
    /// <exception cref="LuffyException">Missing, of another shape, not of a floating-point weight type, or unreadable.</exception>
    public void ReadFloats(string name, ReadOnlySpan<long> shape, long start, Span<float> destination)
    {
        SafeTensor tensor = Get(name);
        CheckShape(tensor, shape);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start + destination.Length, tensor.ElementCount);
        ReadFloats(tensor, start, destination);
    }

    /// <summary>The same, and refuses NaN and infinity, naming the first such element.</summary>
    /// <exception cref="LuffyException">As before, or an element is not finite.</exception>
    public void ReadFiniteFloats(string name, ReadOnlySpan<long> shape, long start, Span<float> destination)
    {
        ReadFloats(name, shape, start, destination);
        if (!TensorPrimitives.IsFiniteAll<float>(destination)) throw NotFinite(name, start, destination);
    }

    /// <summary>The same for a part of a BF16 tensor, as its bits.</summary>
    internal void ReadFiniteBf16(string name, ReadOnlySpan<long> shape, long start, Span<ushort> destination)
    {
        ReadBf16(name, shape, start, destination);
        if (FloatConversion.AllFiniteBf16(destination)) return;
        var values = new float[destination.Length];
        FloatConversion.WidenBf16(destination, values);
        throw NotFinite(name, start, values);
    }

    private LuffyException NotFinite(string name, long start, ReadOnlySpan<float> values)
    {
        int i = 0;
        while (float.IsFinite(values[i])) i++;
        return new($"{Path}: tensor \"{name}\" holds {values[i]} at element {start + i}, expected finite weights; the checkpoint is damaged or diverged.");
    }

    /// <summary>Reads a part of a BF16 tensor of the shape <paramref name="shape"/> as its bits, from element <paramref name="start"/> on.</summary>
    /// <exception cref="LuffyException">Missing, of another shape, or unreadable.</exception>
    internal void ReadBf16(string name, ReadOnlySpan<long> shape, long start, Span<ushort> destination)
    {
        SafeTensor tensor = Get(name);
        CheckShape(tensor, shape);
        if (tensor.DType != SafeTensorsDType.BF16) throw new ArgumentException($"tensor \"{name}\" is {tensor.DType.HeaderName()}", nameof(name));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start + destination.Length, tensor.ElementCount);
        ReadExactly(Path, _handle, MemoryMarshal.AsBytes(destination), tensor.FileOffset + (start * sizeof(ushort)));
    }

    private void ReadFloats(SafeTensor tensor, long start, Span<float> destination)
    {
        string name = tensor.Name;
        if (!tensor.DType.IsWeight())
            throw new LuffyException($"{Path}: tensor \"{name}\" has dtype {tensor.DType.HeaderName()}, expected F32, BF16 or F16; convert the checkpoint first.");
        int size = tensor.DType.Size();
        long offset = tensor.FileOffset + (start * size);
        if (tensor.DType == SafeTensorsDType.F32)
        {
            ReadExactly(Path, _handle, MemoryMarshal.AsBytes(destination), offset);
            return;
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(ChunkBytes, Math.Max(1, (long)destination.Length * size)));
        try
        {
            for (int done = 0; done < destination.Length;)
            {
                int count = Math.Min(destination.Length - done, buffer.Length / size);
                Span<byte> bytes = buffer.AsSpan(0, count * size);
                ReadExactly(Path, _handle, bytes, offset + (long)done * size);
                FloatConversion.ToSingle(tensor.DType, bytes, destination.Slice(done, count));
                done += count;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>As <see cref="ReadFloats(string, Span{float})"/>, and the shape must be <paramref name="shape"/>.</summary>
    public void ReadFloats(string name, ReadOnlySpan<long> shape, Span<float> destination)
    {
        CheckShape(Get(name), shape);
        ReadFloats(name, destination);
    }

    /// <summary>Reads a whole tensor's stored bytes (little-endian). <paramref name="destination"/> has its byte length.</summary>
    /// <exception cref="LuffyException">Missing, of another size, or unreadable.</exception>
    public void ReadRaw(string name, Span<byte> destination)
    {
        SafeTensor tensor = Get(name);
        if (tensor.ByteLength != destination.Length)
            throw new LuffyException($"{Path}: tensor \"{name}\" {tensor.DType.HeaderName()} {tensor.ShapeText} has {tensor.ByteLength} bytes, expected {destination.Length}.");
        ReadExactly(Path, _handle, destination, tensor.FileOffset);
    }

    /// <summary>Asserts a tensor's shape.</summary>
    internal void CheckShape(SafeTensor tensor, ReadOnlySpan<long> shape)
    {
        bool same = tensor.Shape.Count == shape.Length;
        for (int i = 0; same && i < shape.Length; i++) same = tensor.Shape[i] == shape[i];
        if (!same)
            throw new LuffyException($"{Path}: tensor \"{tensor.Name}\" has the shape {tensor.ShapeText}, expected {SafeTensor.FormatShape(shape.ToArray())}; "
                + "the weights and config.json do not belong together.");
    }

    private static void ReadExactly(string path, SafeFileHandle handle, Span<byte> destination, long offset)
    {
        while (destination.Length > 0)
        {
            int read;
            try
            {
                read = RandomAccess.Read(handle, destination, offset);
            }
            catch (Exception e) when (StorageErrors.IsStorageError(e))
            {
                throw StorageErrors.Reading(path, e);
            }
            if (read == 0) throw new LuffyException($"{path}: byte {offset}: the file ends here, expected {destination.Length} more bytes; it changed while being read.");
            destination = destination[read..];
            offset += read;
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _handle.Dispose();
}
