using Luffy.Engine.Checkpoint;
using Luffy.Kernels;

namespace Luffy.Engine.Model;

/// <summary>Supplies the elements of a tensor from <paramref name="start"/> on.</summary>
public delegate void Portion(long start, Span<float> values);

/// <summary>Moves weights between a Hugging Face model directory and a <see cref="ParameterSet"/>.</summary>
public static class ModelWeights
{
    /// <summary>Reads every tensor of a model directory, portion by portion; adapters, which it does not hold, stay as they are.</summary>
    /// <exception cref="LuffyException">A file or tensor is missing, of another shape, truncated, or holds NaN or infinity; or a tensor is there that the architecture has not.</exception>
    public static void Load(ParameterSet parameters, string directory)
    {
        using SafeTensorsModel model = SafeTensorsModel.Open(directory);
        RefuseUnknownTensors(parameters.Layout, model, directory);
        foreach (Parameter p in parameters.Layout.Base)
        {
            foreach (CheckpointTensor tensor in p.Tensors)
            {
                if (parameters.DType == DType.Bf16 && model.TryGet(tensor.Name, out SafeTensor? stored) && stored.DType == SafeTensorsDType.BF16) LoadBf16(parameters, p, tensor, model);
                else Write(parameters, ParameterKind.Weight, p, tensor, (start, values) => model.ReadFiniteFloats(tensor.Name, p.ShapeOf(tensor), start, values));
            }
        }
    }

    private static void LoadBf16(ParameterSet parameters, Parameter p, in CheckpointTensor tensor, SafeTensorsModel model)
    {
        int row = ParameterSet.RowLength(p), portion = ParameterSet.Portion(p);
        long[] shape = p.ShapeOf(tensor);
        var bits = new ushort[Math.Min(portion, tensor.Rows) * row];
        for (long first = 0; first < tensor.Rows; first += portion)
        {
            Span<ushort> some = bits.AsSpan(0, (int)Math.Min(portion, tensor.Rows - first) * row);
            model.ReadFiniteBf16(tensor.Name, shape, first * row, some);
            parameters.WriteBf16(p, tensor.RowStart + first, some);
        }
    }

    /// <summary>
    /// Draws initial weights as GPT-2 does: matrices from N(0, deviation²), those that write to the residual stream from N(0, deviation²/(2L)),
    /// norms 1, biases 0.
    /// </summary>
    public static void Initialize(ParameterSet parameters, long seed, double deviation)
    {
        ParameterLayout layout = parameters.Layout;
        var residualWriters = layout.Layers.SelectMany(l => new[] { l.Output, l.Down }).ToHashSet();
        var biases = layout.Layers.Select(l => l.QkvBias).OfType<Parameter>().ToHashSet();
        var random = new WeightGenerator((ulong)seed);
        foreach (Parameter p in layout.All)
        {
            double spread = residualWriters.Contains(p) ? deviation / Math.Sqrt(2.0 * layout.Layers.Count) : deviation;
            Write(parameters, ParameterKind.Weight, p, new CheckpointTensor(p.Name, 0, p.Rows), (_, values) =>
            {
                if (p.IsVector) values.Fill(biases.Contains(p) ? 0 : 1);
                else random.Fill(values, spread);
            });
        }
    }

    /// <summary>
    /// Draws initial adapters as PEFT does: A uniform within ±1/√in (Kaiming's bound for a slope of √5), B zero, so that the model begins as it was.
    /// </summary>
    public static void InitializeAdapters(ParameterSet parameters, long seed)
    {
        var random = new WeightGenerator((ulong)seed);
        foreach (LowRankAdapter adapter in parameters.Layout.Adapters.SelectMany(l => l.All))
        {
            double bound = 1 / Math.Sqrt(adapter.A.Columns);
            foreach (CheckpointTensor tensor in adapter.A.Tensors)
                Write(parameters, ParameterKind.Weight, adapter.A, tensor, (_, values) => random.FillUniform(values, bound));
            foreach (LowRankProjection projection in adapter.Projections)
                Write(parameters, ParameterKind.Weight, projection.B, projection.B.Tensors[0], (_, values) => values.Clear());
        }
    }

    /// <summary>The checkpoint's tensors, or those of its adapters where it has some, under Hugging Face's names, with the master weights' values where there are any.</summary>
    public static IReadOnlyList<TensorSource> Sources(ParameterSet parameters, SafeTensorsDType dtype) =>
        Sources(parameters, ParameterKind.Weight, dtype, name => name);

    /// <summary>The tensors of any kind of numbers of what is trained. A portion of one tensor is on the host at a time.</summary>
    public static IReadOnlyList<TensorSource> Sources(ParameterSet parameters, ParameterKind kind, SafeTensorsDType dtype, Func<string, string> rename)
    {
        var sources = new List<TensorSource>();
        float[] buffer = [];
        foreach (Parameter p in parameters.Layout.Trained)
        {
            foreach (CheckpointTensor tensor in p.Tensors)
            {
                sources.Add(TensorSource.FromFloats(rename(tensor.Name), p.ShapeOf(tensor), dtype, start =>
                {
                    int row = ParameterSet.RowLength(p), count = (int)Math.Min(ParameterSet.Portion(p), tensor.Rows - (start / row)) * row;
                    if (buffer.Length < count) buffer = new float[count];
                    Span<float> values = buffer.AsSpan(0, count);
                    parameters.Read(kind, p, tensor.RowStart + (start / row), values);
                    return values;
                }));
            }
        }

        return sources;
    }

    /// <summary>Reads one whole checkpoint tensor.</summary>
    public static float[] Read(ParameterSet parameters, ParameterKind kind, Parameter p, in CheckpointTensor tensor)
    {
        int row = ParameterSet.RowLength(p), portion = ParameterSet.Portion(p);
        var values = new float[tensor.Rows * row];
        for (int first = 0; first < tensor.Rows; first += portion)
        {
            int count = (int)Math.Min(portion, tensor.Rows - first);
            parameters.Read(kind, p, tensor.RowStart + first, values.AsSpan(first * row, count * row));
        }

        return values;
    }

    /// <summary>Writes one checkpoint tensor, portion by portion, as <paramref name="fill"/> supplies the elements from a given one on.</summary>
    public static void Write(ParameterSet parameters, ParameterKind kind, Parameter p, in CheckpointTensor tensor, Portion fill)
    {
        int row = ParameterSet.RowLength(p), portion = ParameterSet.Portion(p);
        var values = new float[Math.Min(portion, tensor.Rows) * row];
        for (long first = 0; first < tensor.Rows; first += portion)
        {
            Span<float> some = values.AsSpan(0, (int)Math.Min(portion, tensor.Rows - first) * row);
            fill(first * row, some);
            parameters.Write(kind, p, tensor.RowStart + first, some);
        }
    }

    internal static void RefuseUnknownTensors(ParameterLayout layout, SafeTensorsModel model, string directory)
    {
        var known = layout.Base.SelectMany(p => p.Tensors).Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        foreach (string name in model.Names)
        {
            // Old checkpoints carry the rotary frequencies, and some a copy of the tied head; both follow from the rest.
            bool derived = name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal) || (layout.Config.TieWordEmbeddings && name == "lm_head.weight");
            if (!known.Contains(name) && !derived)
            {
                throw new LuffyException($"{directory}: tensor '{name}' is not part of a {layout.Config.ModelType} model as config.json describes it; " +
                    "the weights and config.json do not belong together, or the architecture has parts that are missing here");
            }
        }
    }

    // Box–Muller over SplitMix64: the same numbers on every machine and runtime.
    private sealed class WeightGenerator(ulong seed)
    {
        private ulong _state = seed;

        public void Fill(Span<float> values, double deviation)
        {
            for (int i = 0; i < values.Length; i++)
            {
                double radius = Math.Sqrt(-2 * Math.Log(Uniform()));
                values[i] = (float)(deviation * radius * Math.Cos(2 * Math.PI * Uniform()));
            }
        }

        public void FillUniform(Span<float> values, double bound)
        {
            for (int i = 0; i < values.Length; i++) values[i] = (float)(((2 * Uniform()) - 1) * bound);
        }

        private double Uniform()
        {
            _state += 0x9E3779B97F4A7C15;
            ulong z = _state;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            z ^= z >> 31;
            return ((z >> 11) + 0.5) * (1.0 / (1UL << 53));
        }
    }
}
