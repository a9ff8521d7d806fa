using System.Text.Json;
using System.Text.Json.Nodes;

namespace Luffy.Engine.Checkpoint;

/// <summary>Writes the weights of a model directory: one file, or shards of bounded size with their index, under Hugging Face's names.</summary>
public static class SafeTensorsModelWriter
{
    /// <summary>The size above which Transformers 4 divides weights into shards too.</summary>
    public const long DefaultShardBytes = 5_000_000_000;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>
    /// Writes <paramref name="tensors"/> in order into <paramref name="directory"/>, as <c>model.safetensors</c> or, where
    /// <paramref name="maximumShardBytes"/> of data do not suffice, as <c>model-00001-of-0000N.safetensors</c> with an index.
    /// A single tensor larger than the bound gets a shard of its own.
    /// </summary>
    /// <returns>The names of the files written, the index included.</returns>
    /// <exception cref="LuffyException">A file cannot be written.</exception>
    public static IReadOnlyList<string> Write(string directory, IReadOnlyList<TensorSource> tensors, long maximumShardBytes = DefaultShardBytes) =>
        Write(directory, tensors, maximumShardBytes, (path, shard) => SafeTensorsWriter.WriteFile(path, shard));

    internal static IReadOnlyList<string> Write(string directory, IReadOnlyList<TensorSource> tensors, long maximumShardBytes,
        Action<string, IReadOnlyList<TensorSource>> writeFile)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maximumShardBytes, 1);
        List<List<TensorSource>> shards = Split(tensors, maximumShardBytes);
        if (shards.Count <= 1)
        {
            writeFile(Path.Combine(directory, SafeTensorsModel.FileName), tensors);
            return [SafeTensorsModel.FileName];
        }

        var names = new List<string>();
        var map = new JsonObject();
        for (int i = 0; i < shards.Count; i++)
        {
            string name = $"model-{i + 1:d5}-of-{shards.Count:d5}.safetensors";
            writeFile(Path.Combine(directory, name), shards[i]);
            foreach (TensorSource tensor in shards[i]) map[tensor.Name] = name;
            names.Add(name);
        }
        var index = new JsonObject
        {
            ["metadata"] = new JsonObject { ["total_size"] = tensors.Sum(tensor => tensor.ByteLength) },
            ["weight_map"] = map,
        };
        AtomicFile.WriteAllText(Path.Combine(directory, SafeTensorsModel.IndexName), index.ToJsonString(Indented) + "\n");
        names.Add(SafeTensorsModel.IndexName);
        return names;
    }

    private static List<List<TensorSource>> Split(IReadOnlyList<TensorSource> tensors, long maximumShardBytes)
    {
        var shards = new List<List<TensorSource>>();
        long filled = 0;
        foreach (TensorSource tensor in tensors)
        {
            if (shards.Count == 0 || (filled > 0 && tensor.ByteLength > maximumShardBytes - filled))
            {
                shards.Add([]);
                filled = 0;
            }
            shards[^1].Add(tensor);
            filled += tensor.ByteLength;
        }
        return shards;
    }
}
