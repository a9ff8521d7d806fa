using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Luffy.Engine.Model;

namespace Luffy.Engine.Checkpoint;

/// <summary>
/// The weights of a model directory: <c>model.safetensors</c>, or the shards that <c>model.safetensors.index.json</c> lists. As in
/// Hugging Face's loader the single file wins where both exist, and the index decides which shard a name is read from.
/// </summary>
public sealed class SafeTensorsModel : IDisposable
{
    /// <summary>The weights of an unsharded model directory.</summary>
    public const string FileName = "model.safetensors";

    /// <summary>The index of a sharded model directory.</summary>
    public const string IndexName = "model.safetensors.index.json";

    private readonly Dictionary<string, SafeTensorsFile> _fileOf = new(StringComparer.Ordinal);
    private readonly List<SafeTensorsFile> _files = [];

    private SafeTensorsModel(string directory) => DirectoryPath = directory;

    /// <summary>The model directory, as given.</summary>
    public string DirectoryPath { get; }

    /// <summary>Names of all tensors, in file order, shard after shard.</summary>
    public IReadOnlyList<string> Names => [.. _files.SelectMany(file => file.Tensors.Where(t => _fileOf.GetValueOrDefault(t.Name) == file)).Select(t => t.Name)];

    /// <summary>Opens every file of the directory's weights and validates their headers.</summary>
    /// <exception cref="LuffyException">No weights, a missing shard, a shard that lacks a listed tensor, or a malformed file.</exception>
    public static SafeTensorsModel Open(string directory)
    {
        var model = new SafeTensorsModel(directory);
        try
        {
            string single = Path.Combine(directory, FileName);
            string index = Path.Combine(directory, IndexName);
            if (File.Exists(single)) model.AddSingle(single);
            else if (File.Exists(index)) model.AddShards(index);
            else
                throw new LuffyException(Directory.Exists(directory)
                    ? $"{directory}: neither {FileName} nor {IndexName} is here; " + (File.Exists(Path.Combine(directory, AdapterDirectory.ConfigName))
                        ? "low-rank adapters are, without the model that they are for; merge them first (luffy merge)."
                        : HasPickles(directory)
                        ? "its weights are pickled (pytorch_model.bin), which can run any code when it is read; take or save them as safetensors."
                        : "expected a model directory with weights.")
                    : $"{directory}: the directory does not exist; expected a model directory.");
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Whether the model has a tensor of this name.</summary>
    public bool Contains(string name) => _fileOf.ContainsKey(name);

    /// <summary>Looks a tensor up; <see cref="FileOf"/> tells which file holds it.</summary>
    public bool TryGet(string name, [NotNullWhen(true)] out SafeTensor? tensor)
    {
        tensor = null;
        return _fileOf.TryGetValue(name, out SafeTensorsFile? file) && file.TryGet(name, out tensor);
    }

    /// <summary>The file that holds a tensor.</summary>
    /// <exception cref="LuffyException">No file does.</exception>
    public SafeTensorsFile FileOf(string name) => _fileOf.TryGetValue(name, out SafeTensorsFile? file)
        ? file
        : throw new LuffyException($"{DirectoryPath}: tensor \"{name}\" is missing from the weights ({_fileOf.Count} tensors in {_files.Count} file(s)); "
            + "they are incomplete, or belong to another architecture than config.json says.");

    /// <summary>Reads a whole tensor as f32; its shape must be <paramref name="shape"/>.</summary>
    /// <exception cref="LuffyException">Missing, of another shape, not F32, BF16 or F16, or unreadable.</exception>
    public void ReadFloats(string name, ReadOnlySpan<long> shape, Span<float> destination) => FileOf(name).ReadFloats(name, shape, destination);

    /// <summary>Reads a whole tensor as f32 and refuses NaN and infinity, naming the first such element.</summary>
    /// <exception cref="LuffyException">As <see cref="ReadFloats"/>, or an element is not finite.</exception>
    public void ReadFiniteFloats(string name, ReadOnlySpan<long> shape, Span<float> destination) => ReadFiniteFloats(name, shape, 0, destination);

    /// <summary>The same for a part of the tensor, from element <paramref name="start"/> on.</summary>
    public void ReadFiniteFloats(string name, ReadOnlySpan<long> shape, long start, Span<float> destination) =>
        FileOf(name).ReadFiniteFloats(name, shape, start, destination);

    /// <summary>The same for a part of a BF16 tensor, as its bits.</summary>
    internal void ReadFiniteBf16(string name, ReadOnlySpan<long> shape, long start, Span<ushort> destination) =>
        FileOf(name).ReadFiniteBf16(name, shape, start, destination);

    /// <summary>Reads a whole tensor's stored bytes (little-endian).</summary>
    public void ReadRaw(string name, Span<byte> destination) => FileOf(name).ReadRaw(name, destination);

    private static bool HasPickles(string directory) => Directory.GetFiles(directory, "pytorch_model*").Length > 0;

    private void AddSingle(string path)
    {
        SafeTensorsFile file = SafeTensorsFile.Open(path);
        _files.Add(file);
        foreach (SafeTensor tensor in file.Tensors) _fileOf.Add(tensor.Name, file);
    }

    private void AddShards(string indexPath)
    {
        var shards = new SortedDictionary<string, SafeTensorsFile>(StringComparer.Ordinal);
        foreach ((string name, string shard) in ReadWeightMap(indexPath))
        {
            if (!shards.TryGetValue(shard, out SafeTensorsFile? file))
            {
                string path = Path.Combine(DirectoryPath, shard);
                if (!File.Exists(path))
                    throw new LuffyException($"{indexPath}: shard {shard} is missing from the directory (tensor \"{name}\" is in it); copy or download it again.");
                file = SafeTensorsFile.Open(path);
                _files.Add(file);
                shards.Add(shard, file);
            }
            if (!file.TryGet(name, out _))
                throw new LuffyException($"{indexPath}: tensor \"{name}\" is listed in shard {shard}, which does not hold it; index and shards do not belong together.");
            _fileOf.Add(name, file);
        }
        _files.Sort((a, b) => string.CompareOrdinal(a.Path, b.Path));
    }

    private static Dictionary<string, string> ReadWeightMap(string indexPath)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(indexPath), new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("weight_map", out JsonElement map) || map.ValueKind != JsonValueKind.Object)
                throw new LuffyException($"{indexPath}: no \"weight_map\" object is in it; expected an index of safetensors shards.");
            var result = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (JsonProperty entry in map.EnumerateObject())
            {
                string? shard = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString() : null;
                // A shard is a plain file name: an index from elsewhere must not reach out of its directory.
                if (string.IsNullOrEmpty(shard) || shard is "." or ".." || shard.AsSpan().ContainsAny('/', '\\', '\0'))
                    throw new LuffyException($"{indexPath}: tensor \"{entry.Name}\" is mapped to {entry.Value.GetRawText()}, expected a file name in this directory.");
                result.Add(entry.Name, shard);
            }
            if (result.Count == 0) throw new LuffyException($"{indexPath}: \"weight_map\" is empty, expected at least one tensor.");
            return result;
        }
        catch (JsonException e)
        {
            throw new LuffyException($"{indexPath}: line {(e.LineNumber ?? 0) + 1}: not valid JSON, or a name is there twice; the file is damaged.", 1, e);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw StorageErrors.Reading(indexPath, e);
        }
    }

    /// <summary>Closes all files.</summary>
    public void Dispose()
    {
        foreach (SafeTensorsFile file in _files) file.Dispose();
    }
}
