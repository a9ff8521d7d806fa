using Luffy.Engine.Checkpoint;
using Luffy.Kernels;

namespace Luffy.Engine.Model;

/// <summary>Moves weights between a Hugging Face model directory and a <see cref="ParameterSet"/>.</summary>
public static class ModelWeights
{
    /// <summary>Reads every tensor of a model directory and packs the matrices.</summary>
    /// <exception cref="LuffyException">A file or tensor is missing, of another shape, truncated, or holds NaN or infinity; or a tensor is there that the architecture has not.</exception>
    public static void Load(IBackend backend, ParameterSet parameters, string directory)
    {
        using SafeTensorsModel model = SafeTensorsModel.Open(directory);
        RefuseUnknownTensors(parameters.Layout, model, directory);
        foreach (Parameter p in parameters.Layout.All)
        {
            foreach (CheckpointTensor tensor in p.Tensors)
            {
                long[] shape = p.ShapeOf(tensor);
                var values = new float[shape.Aggregate(1L, (a, b) => a * b)];
                model.ReadFiniteFloats(tensor.Name, shape, values);
                Upload(backend, parameters, p, tensor, values);
            }
        }

        parameters.Pack();
    }

    /// <summary>
    /// Draws initial weights as GPT-2 does: matrices from N(0, deviation²), those that write to the residual stream from N(0, deviation²/(2L)),
    /// norms 1, biases 0.
    /// </summary>
    public static void Initialize(IBackend backend, ParameterSet parameters, long seed, double deviation)
    {
        ParameterLayout layout = parameters.Layout;
        var residualWriters = layout.Layers.SelectMany(l => new[] { l.Output, l.Down }).ToHashSet();
        var biases = layout.Layers.Select(l => l.QkvBias).OfType<Parameter>().ToHashSet();
        var random = new NormalGenerator((ulong)seed);
        foreach (Parameter p in layout.All)
        {
            var values = new float[p.Length];
            if (p.IsVector) Array.Fill(values, biases.Contains(p) ? 0 : 1);
            else random.Fill(values, residualWriters.Contains(p) ? deviation / Math.Sqrt(2.0 * layout.Layers.Count) : deviation);
            Upload(backend, parameters, p, new CheckpointTensor(p.Name, 0, p.Rows), values);
        }

        parameters.Pack();
    }

    /// <summary>
    /// The checkpoint's tensors under Hugging Face's names, read from the f32 weights where there are any; one tensor is on the host at a time.
    /// </summary>
    public static IReadOnlyList<TensorSource> Sources(IBackend backend, ParameterSet parameters, SafeTensorsDType dtype)
    {
        Tensor flat = parameters.Use == ParameterUse.Training ? parameters.Master : parameters.Weights;
        return Sources(backend, parameters.Layout, flat, dtype, name => name);
    }

    /// <summary>The tensors of any flat vector with the layout's offsets, such as gradients or moments.</summary>
    public static IReadOnlyList<TensorSource> Sources(IBackend backend, ParameterLayout layout, Tensor flat, SafeTensorsDType dtype, Func<string, string> rename)
    {
        var sources = new List<TensorSource>();
        foreach (Parameter p in layout.All)
        {
            foreach (CheckpointTensor tensor in p.Tensors)
                sources.Add(TensorSource.FromFloats(rename(tensor.Name), p.ShapeOf(tensor), dtype, () => Download(backend, flat, p, tensor)));
        }

        return sources;
    }

    /// <summary>Downloads one checkpoint tensor of a flat vector, widened to f32.</summary>
    public static float[] Download(IBackend backend, in Tensor flat, Parameter p, in CheckpointTensor tensor)
    {
        Tensor slice = Range(flat, p, tensor);
        var values = new float[slice.Length];
        if (flat.DType == DType.F32)
        {
            backend.Download<float>(slice, values);
            return values;
        }

        var bits = new ushort[slice.Length];
        backend.Download<ushort>(slice, bits);
        for (int i = 0; i < bits.Length; i++) values[i] = BFloat16.ToSingle(bits[i]);
        return values;
    }

    /// <summary>Uploads one checkpoint tensor into a flat F32 vector (moments, master weights).</summary>
    public static void UploadFlat(IBackend backend, in Tensor flat, Parameter p, in CheckpointTensor tensor, float[] values) =>
        backend.Upload<float>(Range(flat, p, tensor), values);

    /// <summary>Uploads one checkpoint tensor into the weights and, where there are any, the f32 master weights.</summary>
    public static void Upload(IBackend backend, ParameterSet parameters, Parameter p, in CheckpointTensor tensor, float[] values)
    {
        if (parameters.DType == DType.F32)
        {
            backend.Upload<float>(Range(parameters.Weights, p, tensor), values);
            return;
        }

        if (parameters.Use == ParameterUse.Training) backend.Upload<float>(Range(parameters.Master, p, tensor), values);
        var bits = new ushort[values.Length];
        for (int i = 0; i < bits.Length; i++) bits[i] = BFloat16.FromSingle(values[i]);
        backend.Upload<ushort>(Range(parameters.Weights, p, tensor), bits);
    }

    private static Tensor Range(in Tensor flat, Parameter p, in CheckpointTensor tensor)
    {
        long row = p.IsVector ? 1 : p.Columns;
        return flat.Rows(p.Offset + (tensor.RowStart * row), tensor.Rows * row);
    }

    private static void RefuseUnknownTensors(ParameterLayout layout, SafeTensorsModel model, string directory)
    {
        var known = layout.All.SelectMany(p => p.Tensors).Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
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
    private sealed class NormalGenerator(ulong seed)
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
