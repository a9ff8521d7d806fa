using Luffy.Kernels;

namespace Luffy.Engine.Model;

/// <summary>What a <see cref="ParameterSet"/> keeps beside the weights.</summary>
public enum ParameterUse
{
    /// <summary>Weights only: sampling, scoring, a reference model.</summary>
    Inference,

    /// <summary>Also gradients, f32 master weights and both Adam moments.</summary>
    Training,
}

/// <summary>The parameters in memory: one flat buffer per kind, all with the offsets of <see cref="ParameterLayout"/>.</summary>
public sealed class ParameterSet : IDisposable
{
    private readonly IBackend _backend;
    private readonly DeviceBuffer _weights;
    private readonly DeviceBuffer? _gradients, _master, _m, _v, _packed;
    private readonly Dictionary<Parameter, (long Offset, long Bytes)> _packedPlaces = [];

    /// <summary>Allocates zeroed parameters.</summary>
    public ParameterSet(IBackend backend, ParameterLayout layout, DType dtype, ParameterUse use)
    {
        (_backend, Layout, DType, Use) = (backend, layout, dtype, use);
        _weights = backend.Allocate("weights", layout.Length * dtype.Size());
        long packedBytes = 0;
        foreach (Parameter p in layout.Matrices)
        {
            long bytes = backend.Linear.PackedBytes(p.Rows, p.Columns, dtype);
            _packedPlaces[p] = (packedBytes, bytes);
            packedBytes += (bytes + 63) / 64 * 64;
        }

        if (packedBytes > 0) _packed = backend.Allocate("packed weights", packedBytes);
        if (use == ParameterUse.Inference) return;
        _gradients = backend.Allocate("gradients", layout.Length * 4);
        // In f32 the weights are their own master copy.
        if (dtype != DType.F32) _master = backend.Allocate("master weights", layout.Length * 4);
        _m = backend.Allocate("first moments", layout.Length * 4);
        _v = backend.Allocate("second moments", layout.Length * 4);
    }

    /// <summary>Offsets.</summary>
    public ParameterLayout Layout { get; }

    /// <summary>Storage type that the model computes with.</summary>
    public DType DType { get; }

    /// <summary>What is kept.</summary>
    public ParameterUse Use { get; }

    /// <summary>All weights as one vector.</summary>
    public Tensor Weights => _weights.View(0, DType, Layout.Length);

    /// <summary>All gradients (F32) as one vector.</summary>
    public Tensor Gradients => Flat(_gradients);

    /// <summary>All f32 weights as one vector; the weights themselves where those are F32.</summary>
    public Tensor Master => _master is null && DType == DType.F32 ? Weights : Flat(_master);

    /// <summary>All first moments (F32).</summary>
    public Tensor FirstMoments => Flat(_m);

    /// <summary>All second moments (F32).</summary>
    public Tensor SecondMoments => Flat(_v);

    /// <summary>Bytes by category, for the memory plan; a pure function of its arguments.</summary>
    public static IReadOnlyList<(string Category, long Bytes)> Plan(IBackend backend, ParameterLayout layout, DType dtype, ParameterUse use)
    {
        long n = layout.Length;
        long packed = layout.Matrices.Sum(p => (backend.Linear.PackedBytes(p.Rows, p.Columns, dtype) + 63) / 64 * 64);
        var plan = new List<(string, long)> { ("weights", n * dtype.Size()), ("packed weights", packed) };
        if (use == ParameterUse.Training)
        {
            plan.Add(("gradients", n * 4));
            if (dtype != DType.F32) plan.Add(("master weights", n * 4));
            plan.Add(("optimizer moments", n * 8));
        }

        return plan;
    }

    /// <summary>A parameter's weights, for norms and biases.</summary>
    public Tensor Weight(Parameter p) => Slice(Weights, p);

    /// <summary>A matrix with its packed form.</summary>
    public LinearWeight Matrix(Parameter p)
    {
        (long offset, long bytes) = _packedPlaces[p];
        return new LinearWeight(Weight(p), bytes == 0 ? default : _packed!.View(offset, DType.U8, bytes));
    }

    /// <summary>A parameter's gradient (F32).</summary>
    public Tensor Gradient(Parameter p) => Slice(Gradients, p);

    /// <summary>The parameter's range of any flat F32 vector of this set.</summary>
    public static Tensor Slice(in Tensor flat, Parameter p) =>
        flat.Rows(p.Offset, p.Length).Reshape(p.Rows, p.IsVector ? 1 : p.Columns);

    /// <summary>Renews the packed form of every matrix. To be called after each change of the weights.</summary>
    public void Pack()
    {
        foreach ((Parameter p, (_, long bytes)) in _packedPlaces)
        {
            if (bytes == 0) continue;
            LinearWeight w = Matrix(p);
            _backend.Linear.Pack(w.Packed, w.Values);
        }
    }

    /// <summary>Sets every gradient to zero.</summary>
    public void ZeroGradients() => _backend.Zero(Gradients);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (DeviceBuffer? buffer in new[] { _weights, _gradients, _master, _m, _v, _packed }) buffer?.Dispose();
    }

    private Tensor Flat(DeviceBuffer? buffer) =>
        (buffer ?? throw new InvalidOperationException("these parameters were made for inference")).View(0, DType.F32, Layout.Length);
}
