using System.Text.Json;
using System.Text.Json.Nodes;

namespace Luffy.Engine.Checkpoint;

/// <summary>A checkpoint on the disk whose every file matched its manifest when it was opened.</summary>
/// <param name="Step">The step after which it was saved.</param>
/// <param name="DirectoryPath">Its directory, which is also a model directory.</param>
public sealed record SavedCheckpoint(long Step, string DirectoryPath)
{
    /// <summary>A file of the checkpoint.</summary>
    public string PathOf(string relativePath) => Path.Combine(DirectoryPath, relativePath);

    /// <summary>Opens the model's weights.</summary>
    public SafeTensorsModel OpenModel() => SafeTensorsModel.Open(DirectoryPath);

    /// <summary>Opens the optimiser's tensors.</summary>
    public SafeTensorsFile OpenOptimizer() => SafeTensorsFile.Open(PathOf(CheckpointWriter.OptimizerFile));

    /// <summary>Reads the trainer's state.</summary>
    /// <exception cref="LuffyException">It is missing or no JSON object.</exception>
    public JsonObject ReadState()
    {
        string path = PathOf(CheckpointWriter.StateFile);
        try
        {
            return JsonNode.Parse(File.ReadAllBytes(path)) as JsonObject
                ?? throw new LuffyException($"{path}: expected a JSON object; this checkpoint cannot be resumed from.");
        }
        catch (JsonException e)
        {
            throw new LuffyException($"{path}: line {(e.LineNumber ?? 0) + 1}: not valid JSON; this checkpoint cannot be resumed from.", 1, e);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw StorageErrors.Reading(path, e);
        }
    }
}
