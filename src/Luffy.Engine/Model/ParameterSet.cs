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

/// <summary>
/// The parameters in memory. Gradients, the master weights' remainders and the moments are one flat buffer each, all with the offsets of
/// <see cref="ParameterLayout"/>. The weights that the model computes with are one buffer too, in which a matrix is there in its packed
/// form alone; norms, biases and an embedding that is not the head are rows.
/// </summary>
public sealed partial class ParameterSet : IDisposable
{
    private readonly IBackend _backend;
    private readonly DeviceBuffer _weights, _staging;
    private readonly DeviceBuffer? _remainders, _gradients, _roundedGradients, _m, _v, _discarded;
    private readonly Dictionary<Parameter, long> _gradientPlaces = [];
    private readonly Dictionary<Parameter, (long Offset, long Bytes)> _places = [];
    private readonly HashSet<Parameter> _packed;
    private readonly bool _isView;

    /// <summary>Allocates zeroed parameters.</summary>
    /// <param name="backend">Where they live.</param>
    /// <param name="layout">Which there are.</param>
    /// <param name="dtype">Storage of the weights.</param>
    /// <param name="use">Whether they will be trained.</param>
    /// <param name="gradientDType">Storage of the gradients of the layers' matrices; all other gradients are F32.</param>
    /// <param name="moments">Where Adam's moments lie, which one update in a step touches.</param>
    /// <param name="momentDType">Storage of Adam's moments; Bf16 beside Bf16 weights alone.</param>
    public ParameterSet(IBackend backend, ParameterLayout layout, DType dtype, ParameterUse use, DType gradientDType = DType.F32,
        MemoryPlace moments = MemoryPlace.Device, DType momentDType = DType.F32)
    {
        (_backend, Layout, DType, Use, GradientDType, MomentDType) = (backend, layout, dtype, use, gradientDType, momentDType);
        _packed = [.. layout.Matrices];
        long bytes = 0;
        foreach (Parameter p in layout.All)
        {
            long size = StorageBytes(backend, p, dtype, _packed.Contains(p));
            _places[p] = (bytes, size);
            bytes += Aligned(size);
        }

        _weights = backend.Allocate("weights", bytes);
        _staging = backend.Allocate("staged rows", StagingBytes(layout, dtype));
        if (use == ParameterUse.Inference) return;
        if (layout.Adapters.Count > 0) _discarded = backend.Allocate("gradients of frozen norms", DiscardedBytes(layout));
        (long whole, long rounded) = GradientBytes(layout, gradientDType, _gradientPlaces);
        _gradients = backend.Allocate("gradients", whole);
        if (rounded > 0) _roundedGradients = backend.Allocate("rounded gradients", rounded);
        // In f32 the weights are their own master copy.
        if (dtype != DType.F32) _remainders = backend.Allocate("master remainders", layout.Length * 2);
        _m = backend.Allocate("first moments", layout.Length * momentDType.Size(), moments);
        _v = backend.Allocate("second moments", layout.Length * momentDType.Size(), moments);
    }

    private ParameterSet(ParameterSet other, ParameterLayout layout)
    {
        (_backend, Layout, DType, Use, GradientDType, MomentDType) = (other._backend, layout, other.DType, ParameterUse.Inference, other.GradientDType, other.MomentDType);
        (_packed, _places, _weights, _staging, _isView) = (other._packed, other._places, other._weights, other._staging, true);
    }

    /// <summary>Offsets.</summary>
    public ParameterLayout Layout { get; }

    /// <summary>Storage type that the model computes with.</summary>
    public DType DType { get; }

    /// <summary>What is kept.</summary>
    public ParameterUse Use { get; }

    /// <summary>Storage of the gradients of the layers' matrices. Bf16 ones are overwritten by each backward pass, F32 ones added to.</summary>
    public DType GradientDType { get; }

    /// <summary>Storage of Adam's moments.</summary>
    public DType MomentDType { get; }

    /// <summary>The gradients in as few pieces as hold nothing else, always in the same order.</summary>
    public IEnumerable<Tensor> Gradients => _roundedGradients is null
        ? [_gradients!.View(DType.F32)]
        : [_gradients!.View(DType.F32), .. Layout.LayerMatrices.Select(Gradient)];

    /// <summary>
    /// Memory that may be written between the beginning of an update and its backward pass: that of gradients which this overwrites. Absent
    /// where there are none.
    /// </summary>
    public Tensor FreeUntilBackward => _roundedGradients?.View(DType.U8) ?? default;

    /// <summary>All first moments.</summary>
    public Tensor FirstMoments => Flat(_m);

    /// <summary>All second moments; with Bf16 weights their sign belongs to the master weights (<see cref="SplitMaster"/>).</summary>
    public Tensor SecondMoments => Flat(_v);

    /// <summary>Bytes by category, for the memory plan; a pure function of its arguments.</summary>
    public static IReadOnlyList<(string Category, long Bytes)> Plan(IBackendSizes backend, ParameterLayout layout, DType dtype, ParameterUse use,
        DType gradientDType = DType.F32, DType momentDType = DType.F32)
    {
        HashSet<Parameter> packed = [.. layout.Matrices];
        long n = layout.Length;
        var plan = new List<(string, long)>
        {
            ("weights", layout.All.Sum(p => Aligned(StorageBytes(backend, p, dtype, packed.Contains(p)))) + StagingBytes(layout, dtype)),
        };
        if (use == ParameterUse.Training)
        {
            if (dtype != DType.F32) plan.Add(("master remainders", n * 2));
            (long whole, long rounded) = GradientBytes(layout, gradientDType, []);
            plan.Add(("gradients", whole + rounded + DiscardedBytes(layout)));
            plan.Add((MomentsCategory, n * 2 * momentDType.Size()));
        }

        return plan;
    }

    /// <summary>Bytes of <see cref="FreeUntilBackward"/>.</summary>
    public static long FreeUntilBackwardBytes(ParameterLayout layout, DType gradientDType) => GradientBytes(layout, gradientDType, []).Rounded;

    /// <summary>A vector's weights: a norm or a bias.</summary>
    public Tensor Vector(Parameter p) => Rows(p).Reshape(p.Length);

    /// <summary>A matrix: packed, or the rows of an embedding that is not the head.</summary>
    public LinearWeight Matrix(Parameter p) => _packed.Contains(p) ? new LinearWeight(Storage(p), DType, p.Rows, p.Columns) : new LinearWeight(Rows(p));

    /// <summary>A parameter's weights as they lie in memory: rows, or U8 where they are packed.</summary>
    public Tensor Storage(Parameter p) => _packed.Contains(p) ? _weights.View(_places[p].Offset, DType.U8, _places[p].Bytes) : Rows(p);

    /// <summary>What rounding took from a trained parameter's master weights ([2n] U8); absent where the weights are F32.</summary>
    public Tensor Remainders(Parameter p) => _remainders is null || !p.IsTrained ? default : _remainders.View(p.Offset * 2, DType.U8, p.Length * 2);

    /// <summary>A parameter's gradient: F32, or Bf16 where it is a layer's matrix and <see cref="GradientDType"/> says so.</summary>
    public Tensor Gradient(Parameter p)
    {
        bool rounded = _roundedGradients is not null && Layout.LayerMatrices.Contains(p);
        DeviceBuffer buffer = (rounded ? _roundedGradients : _gradients) ?? throw new InvalidOperationException(Untrained);
        return buffer.View(_gradientPlaces[p], rounded ? DType.Bf16 : DType.F32, p.Rows, p.IsVector ? 1 : p.Columns);
    }

    /// <summary>A trained parameter's gradient; absent where it is not trained.</summary>
    public Tensor GradientOrNone(Parameter p) => p.IsTrained ? Gradient(p) : default;

    /// <summary>A norm's gradient, or room for one that nobody reads: backward passes of norms write it in any case.</summary>
    public Tensor NormGradient(Parameter p) => p.IsTrained ? Gradient(p) : _discarded!.View(0, DType.F32, p.Length);

    /// <summary>Sets every gradient that passes add to to zero.</summary>
    public void ZeroGradients()
    {
        _backend.Zero((_gradients ?? throw new InvalidOperationException(Untrained)).View(DType.F32));
        if (_discarded is not null) _backend.Zero(_discarded.View(DType.F32));
    }

    /// <summary>The same memory, of which a pass uses the model's own weights alone: a reference model that costs nothing.</summary>
    public ParameterSet WithoutAdapters() => new(this, Layout.WithoutAdapters());

    /// <summary>Sets the gradients that a pass overwrites to zero, for an update without any.</summary>
    public void ZeroRoundedGradients()
    {
        if (_roundedGradients is not null) _backend.Zero(_roundedGradients.View(DType.U8));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_isView) return;
        foreach (DeviceBuffer? buffer in new[] { _weights, _staging, _remainders, _gradients, _roundedGradients, _m, _v, _discarded }) buffer?.Dispose();
    }

    /// <summary>What <see cref="Plan"/> calls the optimiser's moments.</summary>
    public const string MomentsCategory = "optimizer moments";

    private const string Untrained = "these parameters were made for inference";

    // F32 gradients have the layout's offsets, unless some of them live elsewhere and the rest moves together.
    private static (long Whole, long Rounded) GradientBytes(ParameterLayout layout, DType gradientDType, Dictionary<Parameter, long> places)
    {
        long whole = 0, rounded = 0;
        foreach (Parameter p in layout.Trained)
        {
            if (gradientDType == DType.F32 || !layout.LayerMatrices.Contains(p))
            {
                places[p] = gradientDType == DType.F32 ? p.Offset * 4 : whole;
                whole = gradientDType == DType.F32 ? layout.Length * 4 : whole + Aligned(p.Length * 4);
            }
            else
            {
                places[p] = rounded;
                rounded += Aligned(p.Length * 2);
            }
        }

        return (whole, rounded);
    }

    private static long DiscardedBytes(ParameterLayout layout) =>
        layout.Adapters.Count == 0 ? 0 : Aligned(layout.Base.Where(p => p.IsVector).Max(p => p.Length) * 4);

    private static long Aligned(long bytes) => (bytes + 63) / 64 * 64;

    private static long StorageBytes(IBackendSizes backend, Parameter p, DType dtype, bool packed) =>
        packed ? backend.PackedBytes(p.Rows, p.Columns, dtype) : p.Length * dtype.Size();

    private Tensor Rows(Parameter p) => _weights.View(_places[p].Offset, DType, p.Rows, p.IsVector ? 1 : p.Columns);

    private Tensor Flat(DeviceBuffer? buffer) =>
        (buffer ?? throw new InvalidOperationException(Untrained)).View(0, MomentDType, Layout.Length);
}
