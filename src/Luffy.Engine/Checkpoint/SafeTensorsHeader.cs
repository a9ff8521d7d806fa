using System.Text;
using System.Text.Json;

namespace Luffy.Engine.Checkpoint;

/// <summary>
/// Parses and validates a safetensors header. The format (huggingface/safetensors): 8 bytes little-endian length N, N bytes of JSON
/// starting with <c>{</c> and padded with spaces, then the tensors' bytes without holes or overlaps up to the end of the file.
/// </summary>
internal sealed class SafeTensorsHeader
{
    /// <summary>The format's own bound: no header may claim more.</summary>
    public const long MaximumLength = 100_000_000;
    public const int PrefixLength = 8;

    private readonly string _path;
    private readonly long _dataStart;
    private readonly long _dataLength;

    private SafeTensorsHeader(string path, long headerLength, long fileLength)
    {
        _path = path;
        _dataStart = PrefixLength + headerLength;
        _dataLength = fileLength - _dataStart;
    }

    /// <summary>The tensors in the order of their bytes.</summary>
    public List<SafeTensor> Tensors { get; } = [];

    public Dictionary<string, string> Metadata { get; } = [];

    /// <summary>Checks the length prefix against the file; returns the number of JSON bytes.</summary>
    public static int CheckLength(string path, ulong claimed, long fileLength)
    {
        if (claimed > MaximumLength)
            throw new LuffyException($"{path}: byte 0: the header claims {claimed} bytes, more than the format's limit of {MaximumLength}; "
                + "this is not a safetensors file, or it is damaged.");
        if ((long)claimed > fileLength - PrefixLength)
            throw new LuffyException($"{path}: byte 0: the header claims {claimed} bytes but only {fileLength - PrefixLength} follow; "
                + "the file is truncated, copy or download it again.");
        if (claimed < 2)
            throw new LuffyException($"{path}: byte 0: the header claims {claimed} bytes, too few for any JSON object; the file is damaged.");
        return (int)claimed;
    }

    public static SafeTensorsHeader Parse(string path, ReadOnlyMemory<byte> json, long fileLength)
    {
        var header = new SafeTensorsHeader(path, json.Length, fileLength);
        if (json.Span[0] != (byte)'{')
            throw new LuffyException($"{path}: byte {PrefixLength}: the header starts with 0x{json.Span[0]:x2} where '{{' is expected; "
                + "this is not a safetensors file, or it is damaged.");
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 8 });
            header.ReadEntries(document.RootElement);
        }
        catch (JsonException e)
        {
            throw new LuffyException($"{path}: byte {PrefixLength + OffsetOf(json.Span, e)}: the header is not valid JSON; the file is damaged.", 1, e);
        }
        catch (InvalidOperationException e)
        {
            throw new LuffyException($"{path}: the header holds a string that is not valid UTF-8; the file is damaged.", 1, e);
        }
        header.CheckLayout();
        return header;
    }

    private static long OffsetOf(ReadOnlySpan<byte> json, JsonException e)
    {
        long offset = e.BytePositionInLine ?? 0;
        int position = 0;
        for (long line = 0; line < (e.LineNumber ?? 0); line++)
        {
            int newline = json[position..].IndexOf((byte)'\n');
            if (newline < 0) break;
            position += newline + 1;
        }
        return position + offset;
    }

    private void ReadEntries(JsonElement root)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (JsonProperty entry in root.EnumerateObject())
        {
            if (!seen.Add(entry.Name)) throw Defect(entry.Name, "is listed twice in the header");
            if (entry.Name == "__metadata__") ReadMetadata(entry.Value);
            else Tensors.Add(ReadTensor(entry.Name, entry.Value));
        }
    }

    private void ReadMetadata(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object) throw Metadata_(value.ValueKind);
        foreach (JsonProperty item in value.EnumerateObject())
        {
            if (item.Value.ValueKind != JsonValueKind.String) throw Metadata_(item.Value.ValueKind);
            Metadata[item.Name] = item.Value.GetString()!;
        }

        LuffyException Metadata_(JsonValueKind found) =>
            new($"{_path}: __metadata__ holds a JSON {found} where an object of strings is expected; the file is damaged.");
    }

    private SafeTensor ReadTensor(string name, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object) throw Defect(name, $"is described by a JSON {value.ValueKind}, expected an object");
        string? dtypeName = null;
        long[]? shape = null;
        long[]? offsets = null;
        foreach (JsonProperty field in value.EnumerateObject())
        {
            switch (field.Name)
            {
                case "dtype" when dtypeName is null && field.Value.ValueKind == JsonValueKind.String:
                    dtypeName = field.Value.GetString();
                    break;
                case "shape" when shape is null:
                    shape = ReadIntegers(name, field);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadIntegers(name, field);
                    break;
                default:
                    throw Defect(name, $"has an unexpected, repeated or mistyped field \"{field.Name}\", expected dtype, shape and data_offsets once each");
            }
        }
        if (dtypeName is null || shape is null || offsets is null)
            throw Defect(name, $"lacks {(dtypeName is null ? "dtype" : shape is null ? "shape" : "data_offsets")}");
        if (!SafeTensorsDTypes.TryParse(dtypeName, out SafeTensorsDType dtype))
            throw Defect(name, $"has the unknown dtype \"{dtypeName}\", expected one of "
                + string.Join(", ", Enum.GetValues<SafeTensorsDType>().Select(SafeTensorsDTypes.HeaderName)));
        if (offsets.Length != 2) throw Defect(name, $"has {offsets.Length} data_offsets, expected 2 (begin and end)");

        (long begin, long end) = (offsets[0], offsets[1]);
        string shapeText = SafeTensor.FormatShape(shape);
        if (begin > end) throw Defect(name, $"has data_offsets [{begin}, {end}], whose end lies before their begin");
        long expected;
        try
        {
            expected = checked(SafeTensor.CountElements(shape) * dtype.Size());
        }
        catch (OverflowException)
        {
            throw Defect(name, $"has the shape {shapeText}, larger than any file can be");
        }
        if (end - begin != expected)
            throw Defect(name, $"has {end - begin} bytes at data_offsets [{begin}, {end}], but {dtypeName} {shapeText} takes {expected}");
        if (end > _dataLength)
            throw new LuffyException($"{_path}: tensor \"{name}\" ends at byte {_dataStart + end} but the file ends at byte {_dataStart + _dataLength}; "
                + "the file is truncated, copy or download it again.");
        return new SafeTensor(name, dtype, shape, _dataStart + begin, expected);
    }

    private long[] ReadIntegers(string name, JsonProperty field)
    {
        if (field.Value.ValueKind != JsonValueKind.Array) throw Defect(name, $"has a {field.Name} that is no array");
        var values = new long[field.Value.GetArrayLength()];
        int i = 0;
        foreach (JsonElement item in field.Value.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out values[i]) || values[i] < 0)
                throw Defect(name, $"has {item.GetRawText()} in its {field.Name}, expected a whole number of at least 0");
            i++;
        }
        return values;
    }

    private void CheckLayout()
    {
        Tensors.Sort((a, b) => a.FileOffset != b.FileOffset ? a.FileOffset.CompareTo(b.FileOffset) : a.ByteLength.CompareTo(b.ByteLength));
        long position = _dataStart;
        string previous = "the header";
        foreach (SafeTensor tensor in Tensors)
        {
            if (tensor.FileOffset < position)
                throw Defect(tensor.Name, $"starts at byte {tensor.FileOffset}, inside {previous}, which ends at byte {position}");
            if (tensor.FileOffset > position)
                throw Defect(tensor.Name, $"starts at byte {tensor.FileOffset}, expected {position}, the end of {previous}: the format allows no holes");
            position += tensor.ByteLength;
            previous = $"tensor \"{tensor.Name}\"";
        }
        long fileLength = _dataStart + _dataLength;
        if (position != fileLength)
            throw new LuffyException($"{_path}: byte {position}: {fileLength - position} bytes follow the last tensor, expected the end of the file; "
                + "the file is damaged.");
    }

    private LuffyException Defect(string name, string what) => new($"{_path}: tensor \"{Short(name)}\" {what}; the file is damaged.");

    private static string Short(string name) => name.Length <= 200 ? name : name[..200] + "…";

    /// <summary>The bytes of a header for tensors laid out one after another, prefix included, padded so that the data start at a multiple of 8.</summary>
    public static byte[] Serialize(IEnumerable<(string Name, SafeTensorsDType DType, IReadOnlyList<long> Shape)> tensors,
        IReadOnlyDictionary<string, string> metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            foreach ((string key, string value) in metadata) json.WriteString(key, value);
            json.WriteEndObject();
            long position = 0;
            foreach ((string name, SafeTensorsDType dtype, IReadOnlyList<long> shape) in tensors)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", dtype.HeaderName());
                json.WriteStartArray("shape");
                foreach (long dimension in shape) json.WriteNumberValue(dimension);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(position);
                position += SafeTensor.CountElements(shape) * dtype.Size();
                json.WriteNumberValue(position);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        int length = (int)(buffer.Length + 7) / 8 * 8;
        var bytes = new byte[PrefixLength + length];
        BitConverter.TryWriteBytes(bytes, (ulong)length);
        bytes.AsSpan(PrefixLength).Fill((byte)' ');
        buffer.GetBuffer().AsSpan(0, (int)buffer.Length).CopyTo(bytes.AsSpan(PrefixLength));
        return bytes;
    }
}
