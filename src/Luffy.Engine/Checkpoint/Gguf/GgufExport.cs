using Luffy.Engine.Model;

namespace Luffy.Engine.Checkpoint.Gguf;

/// <summary>What was written.</summary>
/// <param name="Tensors">Number of tensors.</param>
/// <param name="Bytes">Size of the file.</param>
public sealed record GgufSummary(int Tensors, long Bytes);

/// <summary>Writes a model directory as one GGUF file, which llama.cpp and what is built on it run.</summary>
public static class GgufExport
{
    // Which edition of the block formats the file holds; there has been no other since 2023.
    private const uint QuantizationVersion = 2;

    /// <summary>
    /// Writes <paramref name="path"/> as a whole or not at all. Weights go from file to file some rows at a time, whatever the size of the model.
    /// </summary>
    /// <param name="directory">The model directory, as <see cref="ModelDirectory.Resolve"/> gives it.</param>
    /// <param name="path">The file.</param>
    /// <param name="type">Storage of matrices; vectors are always f32.</param>
    /// <param name="vocabulary">Whether the tokenizer goes into the file; without it, only a program that has ids can use the model.</param>
    /// <exception cref="LuffyException">The directory is malformed, or has what llama.cpp has not; or the file cannot be written.</exception>
    public static GgufSummary Write(string directory, string path, GgufTensorType type, bool vocabulary = true)
    {
        TransformerConfig config = TransformerConfig.Load(directory);
        if (config.Adapters is not null)
            throw new LuffyException($"{directory}: holds low-rank adapters; merge them first: luffy merge --adapter {directory} --output DIR");
        var layout = new ParameterLayout(config);
        using SafeTensorsModel model = SafeTensorsModel.Open(directory);
        ModelWeights.RefuseUnknownTensors(layout, model, directory);

        var metadata = new GgufMetadata();
        metadata.Add("general.architecture", config.ModelType);
        metadata.Add("general.type", "model");
        metadata.Add("general.name", Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory))));
        metadata.Add("general.file_type", type.FileType());
        metadata.Add("general.quantization_version", QuantizationVersion);
        GgufHyperparameters.Add(metadata, config);
        if (vocabulary) GgufTokenizer.Add(metadata, directory, config.VocabularySize);
        else metadata.Add("tokenizer.ggml.model", "none");

        IReadOnlyList<GgufTensor> tensors = GgufTensors.Of(layout, model, type, GgufHyperparameters.FrequencyFactors(config, directory));
        long bytes = 0;
        AtomicFile.Write(path, stream => bytes = GgufWriter.Write(stream, metadata, tensors));
        return new GgufSummary(tensors.Count, bytes);
    }
}
