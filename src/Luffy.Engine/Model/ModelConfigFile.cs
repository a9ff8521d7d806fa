using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Model;

/// <summary>What a run says instead of a model's <c>config.json</c>; null leaves what stands there.</summary>
/// <param name="RopeTheta">Base of the rotary frequencies.</param>
/// <param name="MaxPositionEmbeddings">Longest context.</param>
/// <param name="Adapters">Low-rank adapters that the run trains; null for none but those of the directory.</param>
public sealed record ConfigOverrides(double? RopeTheta = null, int? MaxPositionEmbeddings = null, LowRankConfig? Adapters = null);

/// <summary>
/// <c>config.json</c> of a model directory, with what a run says instead of it. What is computed with and what is saved beside trained weights
/// come from this one text; whatever the engine has no use for in it is kept.
/// </summary>
public sealed class ModelConfigFile
{
    /// <summary>Its name within a model directory.</summary>
    public const string FileName = "config.json";

    private const string Theta = "rope_theta", Window = "max_position_embeddings";
    private static readonly string[] RopeObjects = ["rope_scaling", "rope_parameters"], StorageKeys = ["torch_dtype", "dtype"];

    // As Python writes it: two spaces, and no escapes that JSON does not ask for.
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly string _original;
    private readonly JsonObject _root;

    private ModelConfigFile(string original, JsonObject root, TransformerConfig architecture, string directory, AdapterDirectory? adapter)
    {
        (_original, _root, Architecture, WeightsDirectory, Adapter) = (original, root, architecture, directory, adapter);
    }

    /// <summary>The architecture, with what the run says instead.</summary>
    public TransformerConfig Architecture { get; }

    /// <summary>Where the model's weights are: the directory itself, or that of the model that its adapters are for.</summary>
    public string WeightsDirectory { get; }

    /// <summary>The low-rank adapters that the directory holds, or null.</summary>
    public AdapterDirectory? Adapter { get; }

    /// <summary>Reads the file of a model directory; where it holds adapters and no such file, that of the model that they are for.</summary>
    /// <exception cref="LuffyException">The file is missing or malformed, or asks for something that this engine does not have.</exception>
    public static ModelConfigFile Open(string directory, ConfigOverrides? overrides = null)
    {
        AdapterDirectory? adapter = AdapterDirectory.Find(directory);
        LowRankConfig? wanted = overrides?.Adapters;
        if (adapter is not null && wanted is not null && adapter.Adapters != wanted)
        {
            throw new LuffyException($"{directory}: holds low-rank adapters of {adapter.Adapters}, but the configuration asks for {wanted}; " +
                "set lora_r, lora_alpha, use_rslora and lora_target_modules to those of the adapters to train them on, or merge them first (luffy merge)");
        }

        string weights = adapter?.BaseDirectory ?? directory;
        ModelConfigFile file = Read(File.Exists(Path.Combine(directory, FileName)) ? directory : weights, weights, adapter, overrides);
        return wanted is null && adapter is null ? file
            : new ModelConfigFile(file._original, file._root, file.Architecture with { Adapters = adapter?.Adapters ?? wanted }, weights, adapter);
    }

    private static ModelConfigFile Read(string directory, string weights, AdapterDirectory? adapter, ConfigOverrides? overrides)
    {
        string path = Path.Combine(directory, FileName);
        if (!Directory.Exists(directory))
            throw new LuffyException($"{directory}: there is no such model directory; give a folder with config.json and model.safetensors");
        if (!File.Exists(path))
            throw new LuffyException($"{path}: missing; a model directory holds config.json and model.safetensors as Hugging Face writes them");
        try
        {
            string text = File.ReadAllText(path);
            if (JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = false }) is not JsonObject root)
                throw new LuffyException($"{path}: it does not hold a JSON object; expected the description of a model");
            if (overrides is not null) Apply(root, overrides);
            using JsonDocument document = JsonDocument.Parse(root.ToJsonString());
            return new ModelConfigFile(text, root, new ConfigReader(path, document.RootElement).Read(), weights, adapter);
        }
        catch (JsonException e)
        {
            throw new LuffyException($"{path}: line {(e.LineNumber ?? 0) + 1}: not valid JSON, or a key is there twice ({e.Message})", innerException: e);
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw StorageErrors.Reading(path, e);
        }
    }

    /// <summary>
    /// The text to save beside weights that are stored as <paramref name="stored"/>: the original, byte for byte, unless the run said something
    /// else or the original names another storage type, by which Transformers would narrow or widen them.
    /// </summary>
    public string TextFor(SafeTensorsDType stored)
    {
        JsonObject root = _root.DeepClone().AsObject();
        string name = stored switch
        {
            SafeTensorsDType.BF16 => "bfloat16",
            SafeTensorsDType.F16 => "float16",
            SafeTensorsDType.F32 => "float32",
            _ => throw new ArgumentOutOfRangeException(nameof(stored), stored, "not a storage type of weights"),
        };
        foreach (string key in StorageKeys.Where(root.ContainsKey)) root[key] = name;
        return JsonNode.DeepEquals(root, JsonNode.Parse(_original)) ? _original : root.ToJsonString(Indented) + "\n";
    }

    private static void Apply(JsonObject root, ConfigOverrides overrides)
    {
        if (overrides.MaxPositionEmbeddings is { } window) root[Window] = window;
        if (overrides.RopeTheta is not { } theta) return;
        // Transformers 5 reads the one within the object first, Transformers 4 the one beside it alone.
        root[Theta] = Fraction(theta);
        foreach (string key in RopeObjects)
            if (root[key] is JsonObject rope && rope.ContainsKey(Theta)) rope[Theta] = Fraction(theta);
    }

    // With a point, as Python writes a float: its readers tell integers from floats.
    private static JsonNode Fraction(double value) =>
        JsonNode.Parse(value == Math.Floor(value) && value < 1e15 ? value.ToString("F1", CultureInfo.InvariantCulture) : value.ToString("R", CultureInfo.InvariantCulture))!;
}
