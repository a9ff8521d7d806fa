using System.Text.Json;
using System.Text.Json.Nodes;
using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Model;

/// <summary>
/// A folder with low-rank adapters as PEFT writes it: <c>adapter_config.json</c>, which names the model that they belong to, and
/// <c>adapter_model.safetensors</c>.
/// </summary>
/// <param name="Path">The folder.</param>
/// <param name="BaseModel"><c>base_model_name_or_path</c>.</param>
/// <param name="Adapters">Rank, scale and projections.</param>
public sealed record AdapterDirectory(string Path, string BaseModel, LowRankConfig Adapters)
{
    /// <summary>The description.</summary>
    public const string ConfigName = "adapter_config.json";

    /// <summary>The weights.</summary>
    public const string WeightsName = "adapter_model.safetensors";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Where the weights are.</summary>
    public string WeightsPath => System.IO.Path.Combine(Path, WeightsName);

    /// <summary>
    /// The folder of the model that they belong to. A relative path counts from the current folder, as in PEFT, or else from the adapter's own.
    /// </summary>
    public string BaseDirectory
    {
        get
        {
            string beside = System.IO.Path.Combine(Path, BaseModel);
            return !Directory.Exists(BaseModel) && Directory.Exists(beside) ? beside : ModelDirectory.Resolve(BaseModel);
        }
    }

    /// <summary>The adapter in a folder; null where the folder has none.</summary>
    /// <exception cref="LuffyException">Its description is malformed, or asks for something that this engine does not have.</exception>
    public static AdapterDirectory? Find(string directory)
    {
        string path = System.IO.Path.Combine(directory, ConfigName);
        if (!File.Exists(path)) return null;
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            return new AdapterConfigReader(path, document.RootElement).Read(directory);
        }
        catch (JsonException e)
        {
            throw new LuffyException($"{path}: line {(e.LineNumber ?? 0) + 1}: not valid JSON ({e.Message})", innerException: e);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw StorageErrors.Reading(path, e);
        }
    }

    /// <summary>The text of <c>adapter_config.json</c>.</summary>
    public static string ConfigText(LowRankConfig adapters, string baseModel)
    {
        var targets = new JsonArray();
        foreach (LowRankTarget target in adapters.Targets) targets.Add(LowRankConfig.NameOf(target));
        var json = new JsonObject
        {
            ["alpha_pattern"] = new JsonObject(),
            ["auto_mapping"] = null,
            ["base_model_name_or_path"] = baseModel,
            ["bias"] = "none",
            ["fan_in_fan_out"] = false,
            ["inference_mode"] = true,
            ["init_lora_weights"] = true,
            ["layer_replication"] = null,
            ["layers_pattern"] = null,
            ["layers_to_transform"] = null,
            // PEFT declares an integer, and takes a fraction all the same.
            ["lora_alpha"] = adapters.Alpha == Math.Floor(adapters.Alpha) ? (long)adapters.Alpha : adapters.Alpha,
            ["lora_dropout"] = 0.0,
            ["modules_to_save"] = null,
            ["peft_type"] = "LORA",
            ["r"] = adapters.Rank,
            ["rank_pattern"] = new JsonObject(),
            ["revision"] = null,
            ["target_modules"] = targets,
            ["task_type"] = "CAUSAL_LM",
            ["use_dora"] = false,
            ["use_rslora"] = adapters.RankStabilized,
        };
        return json.ToJsonString(Indented) + "\n";
    }

    /// <summary>Reads the adapters' weights.</summary>
    /// <param name="parameters">Of an architecture with these adapters.</param>
    /// <exception cref="LuffyException">A tensor is missing, of another shape, not finite, or there is one that does not belong to the adapters.</exception>
    public void Load(ParameterSet parameters)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(WeightsPath);
        var expected = new HashSet<string>(StringComparer.Ordinal);
        foreach (Parameter p in parameters.Layout.Trained)
        {
            foreach (CheckpointTensor tensor in p.Tensors)
            {
                expected.Add(tensor.Name);
                ModelWeights.Write(parameters, ParameterKind.Weight, p, tensor, (start, values) => file.ReadFiniteFloats(tensor.Name, p.ShapeOf(tensor), start, values));
            }
        }

        if (file.Tensors.FirstOrDefault(t => !expected.Contains(t.Name)) is { } unknown)
        {
            throw new LuffyException($"{WeightsPath}: tensor '{unknown.Name}' is not part of the adapters that {ConfigName} describes ({Adapters}) on this model; " +
                "adapter and model do not belong together");
        }
    }
}
