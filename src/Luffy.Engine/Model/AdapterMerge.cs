using System.Numerics.Tensors;
using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Model;

/// <summary>
/// The <c>merge</c> command: W + s·B·A in W's place, so that a model with adapters runs where adapters are not known. A portion of one tensor is in
/// memory at a time; sums are f32 and are rounded once, to the storage of the base model.
/// </summary>
public static class AdapterMerge
{
    // Of a tensor, at once.
    private const int PortionElements = 1 << 22;

    /// <summary>Merges.</summary>
    /// <param name="adapterDirectory">With adapter_config.json.</param>
    /// <param name="baseModel">The model that the adapters are for; null takes the one that they name.</param>
    /// <param name="output">The model directory to write; must not be there yet.</param>
    /// <returns>Where the base model was found.</returns>
    /// <exception cref="LuffyException">There is no adapter, it does not fit the model, or the result cannot be written.</exception>
    public static string Run(string adapterDirectory, string? baseModel, string output)
    {
        AdapterDirectory adapter = AdapterDirectory.Find(adapterDirectory)
            ?? throw new LuffyException($"{adapterDirectory}: no {AdapterDirectory.ConfigName} is here; expected a folder with adapters, as training with use_peft or PEFT writes it");
        if (Path.Exists(output)) throw new LuffyException($"{output}: is there already; choose a folder that is not");
        if (baseModel is not null) adapter = adapter with { BaseModel = baseModel };
        string directory = adapter.BaseDirectory;
        ModelConfigFile config = ModelConfigFile.Open(adapterDirectory);
        using SafeTensorsModel model = SafeTensorsModel.Open(directory);
        using SafeTensorsFile low = SafeTensorsFile.Open(adapter.WeightsPath);
        Dictionary<string, LowRankUpdate> updates = Updates(config.Architecture, adapter, low);
        if (updates.Keys.FirstOrDefault(name => !model.Contains(name)) is { } missing) model.FileOf(missing);

        SafeTensorsDType stored = model.Names.Select(name => model.FileOf(name).Get(name).DType).First(d => d.IsWeight());
        AtomicDirectory.Create(output, folder =>
        {
            File.WriteAllText(Path.Combine(folder, ModelConfigFile.FileName), config.TextFor(stored));
            foreach (string source in (ReadOnlySpan<string>)[directory, adapterDirectory])
                foreach (string name in ModelDirectory.CompanionFiles(source)) Copy(source, name, folder);
            SafeTensorsModelWriter.Write(folder, [.. model.Names.Select(name => Source(model, name, updates.GetValueOrDefault(name)))]);
        });
        return directory;
    }

    private static void Copy(string source, string name, string folder)
    {
        string path = Path.Combine(folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, File.ReadAllBytes(Path.Combine(source, name)));
    }

    private static Dictionary<string, LowRankUpdate> Updates(TransformerConfig config, AdapterDirectory adapter, SafeTensorsFile low)
    {
        var layout = new ParameterLayout(config with { Adapters = adapter.Adapters });
        var updates = new Dictionary<string, LowRankUpdate>(StringComparer.Ordinal);
        foreach (Parameter p in layout.Trained)
            foreach (CheckpointTensor tensor in p.Tensors) low.CheckShape(low.Get(tensor.Name), p.ShapeOf(tensor));
        if (low.Tensors.Count != 2 * adapter.Adapters.Targets.Count * config.Layers)
        {
            throw new LuffyException($"{adapter.WeightsPath}: holds {low.Tensors.Count} tensors, expected {2 * adapter.Adapters.Targets.Count * config.Layers} " +
                $"({adapter.Adapters}, {config.Layers} layers); adapter and model do not belong together");
        }

        for (int l = 0; l < config.Layers; l++)
        {
            foreach (LowRankTarget target in adapter.Adapters.Targets)
            {
                updates[$"model.layers.{l}.{LowRankConfig.PathOf(target)}.weight"] =
                    new LowRankUpdate(low, ParameterLayout.TensorOf(l, target, 'A'), ParameterLayout.TensorOf(l, target, 'B'), adapter.Adapters);
            }
        }

        return updates;
    }

    private static TensorSource Source(SafeTensorsModel model, string name, LowRankUpdate? update)
    {
        SafeTensor tensor = model.FileOf(name).Get(name);
        if (!tensor.DType.IsWeight())
        {
            return TensorSource.FromBytes(name, tensor.Shape, tensor.DType, () =>
            {
                var bytes = new byte[tensor.ByteLength];
                model.ReadRaw(name, bytes);
                return bytes;
            });
        }

        float[] buffer = [];
        int row = (int)tensor.Shape[^1], rows = Math.Max(1, PortionElements / row);
        return TensorSource.FromFloats(name, tensor.Shape, tensor.DType, start =>
        {
            int count = (int)Math.Min((long)rows * row, tensor.ElementCount - start);
            if (buffer.Length < count) buffer = new float[count];
            Memory<float> values = buffer.AsMemory(0, count);
            model.ReadFiniteFloats(name, [.. tensor.Shape], start, values.Span);
            update?.AddTo(values, row, start / row);
            return values.Span;
        });
    }

    // s·B·A of one projection, read when its turn comes and forgotten after it.
    private sealed class LowRankUpdate(SafeTensorsFile file, string a, string b, LowRankConfig config)
    {
        public void AddTo(Memory<float> rows, int width, long first)
        {
            var down = new float[(long)config.Rank * width];
            int count = rows.Length / width;
            var up = new float[count * config.Rank];
            file.ReadFiniteFloats(a, [config.Rank, width], 0, down);
            file.ReadFiniteFloats(b, [.. file.Get(b).Shape], first * config.Rank, up);
            Parallel.For(0, count, i =>
            {
                Span<float> row = rows.Span.Slice(i * width, width);
                for (int k = 0; k < config.Rank; k++) TensorPrimitives.FusedMultiplyAdd(down.AsSpan(k * width, width), config.Scale * up[(i * config.Rank) + k], row, row);
            });
        }
    }
}
