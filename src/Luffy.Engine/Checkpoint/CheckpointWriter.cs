using System.Text.Json;
using System.Text.Json.Nodes;

namespace Luffy.Engine.Checkpoint;

/// <summary>Fills one checkpoint while <see cref="CheckpointStore.Save"/> runs. All paths are relative to the checkpoint.</summary>
public sealed class CheckpointWriter
{
    /// <summary>Where the trainer's state lies within a checkpoint.</summary>
    public const string TrainerDirectory = "trainer";

    /// <summary>The optimiser's tensors: f32 master weights and both moments.</summary>
    public const string OptimizerFile = TrainerDirectory + "/optimizer.safetensors";

    /// <summary>Counters, cursors and whatever else a resumed run needs.</summary>
    public const string StateFile = TrainerDirectory + "/state.json";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
    private readonly string _directory;

    internal CheckpointWriter(string directory, long step)
    {
        _directory = directory;
        Step = step;
    }

    /// <summary>The step being saved.</summary>
    public long Step { get; }

    /// <summary>Copies a file such as config.json or tokenizer.json; <paramref name="name"/> defaults to its own.</summary>
    /// <exception cref="LuffyException">The source cannot be read.</exception>
    public void CopyFile(string source, string? name = null)
    {
        byte[] content;
        try
        {
            content = File.ReadAllBytes(source);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw StorageErrors.Reading(source, e);
        }
        // Not File.Copy: a read-only source must not make the checkpoint's copy read-only.
        File.WriteAllBytes(Prepare(name ?? Path.GetFileName(source)), content);
    }

    /// <summary>Copies those of <paramref name="names"/> that <paramref name="modelDirectory"/> has.</summary>
    public void CopyFilesIfPresent(string modelDirectory, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            string source = Path.Combine(modelDirectory, name);
            if (File.Exists(source)) CopyFile(source, name);
        }
    }

    /// <summary>Writes a small text file, UTF-8.</summary>
    public void WriteText(string relativePath, string text) => File.WriteAllText(Prepare(relativePath), text);

    /// <summary>Writes the model's weights under their Hugging Face names, in shards where <paramref name="maximumShardBytes"/> do not suffice.</summary>
    public void WriteModel(IReadOnlyList<TensorSource> tensors, long maximumShardBytes = SafeTensorsModelWriter.DefaultShardBytes) =>
        SafeTensorsModelWriter.Write(_directory, tensors, maximumShardBytes, (path, shard) => SafeTensorsWriter.WriteInPlace(path, shard));

    /// <summary>Writes <see cref="OptimizerFile"/>. Store numbers as they are kept, so that a resumed run has the same bits.</summary>
    public void WriteOptimizer(IReadOnlyList<TensorSource> tensors) => WriteTensors(OptimizerFile, tensors);

    /// <summary>Writes a safetensors file anywhere in the checkpoint.</summary>
    public void WriteTensors(string relativePath, IReadOnlyList<TensorSource> tensors) => SafeTensorsWriter.WriteInPlace(Prepare(relativePath), tensors);

    /// <summary>
    /// Writes <see cref="StateFile"/>. Doubles and floats survive to the bit (shortest round-trip form); keep 64-bit hashes and generator
    /// states as strings or whole numbers.
    /// </summary>
    public void WriteState(JsonObject state) => WriteText(StateFile, state.ToJsonString(Indented) + "\n");

    private string Prepare(string relativePath)
    {
        string path = Path.Combine(_directory, relativePath);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return path;
    }
}
