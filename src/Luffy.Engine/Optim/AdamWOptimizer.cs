using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Optim;

/// <summary>What one update did.</summary>
/// <param name="GradientNorm">Global L2 norm before clipping.</param>
/// <param name="Applied">False where the gradients held NaN or infinity: the weights are untouched.</param>
public readonly record struct UpdateResult(double GradientNorm, bool Applied);

/// <summary>
/// AdamW over a <see cref="ParameterSet"/> with clipping by the global norm. Norms and biases do not decay, as Hugging Face's Trainer has it.
/// </summary>
public sealed class AdamWOptimizer : IDisposable
{
    private readonly IBackend _backend;
    private readonly DeviceBuffer _buffer;
    private readonly Tensor _norm, _scratch;

    /// <summary>Prepares the optimiser.</summary>
    public AdamWOptimizer(IBackend backend, ParameterLayout layout, double beta1, double beta2, double epsilon, double weightDecay, double maxGradientNorm)
    {
        _backend = backend;
        (Beta1, Beta2, Epsilon, WeightDecay, MaxGradientNorm) = (beta1, beta2, epsilon, weightDecay, maxGradientNorm);
        _buffer = backend.Allocate("gradient norm", Bytes(backend, layout));
        _norm = _buffer.View(0, DType.F32, 1);
        _scratch = _buffer.View(64, DType.U8, backend.AdamW.SquaredNormScratchBytes(layout.Length));
    }

    public double Beta1 { get; }
    public double Beta2 { get; }
    public double Epsilon { get; }
    public double WeightDecay { get; }

    /// <summary>Gradients are scaled down to this global norm; 0 means never.</summary>
    public double MaxGradientNorm { get; }

    /// <summary>True where norms and biases decay too, as torch.optim.AdamW does unless told otherwise.</summary>
    public bool DecayVectors { get; init; }

    /// <summary>What the random bits of Bf16 moments' rounding depend on beside the update and the parameter: a run's seed.</summary>
    public long RoundingSeed { get; init; }

    /// <summary>Updates made; part of the trainer's saved state.</summary>
    public long Updates { get; set; }

    /// <summary>Bytes of its own buffer, for the memory plan.</summary>
    public static long Bytes(IBackendSizes backend, ParameterLayout layout) => 64 + backend.SquaredNormScratchBytes(layout.Length);

    /// <summary>Clips, and updates the weights and the moments.</summary>
    public UpdateResult Update(ParameterSet parameters, double learningRate)
    {
        double norm = GradientNorm(parameters);
        if (!double.IsFinite(norm)) return new UpdateResult(norm, false);
        // PyTorch's clip_grad_norm_ adds the same 1e-6.
        double scale = MaxGradientNorm > 0 ? Math.Min(1, MaxGradientNorm / (norm + 1e-6)) : 1;
        Updates++;
        foreach (Parameter p in parameters.Layout.Trained)
        {
            var options = new AdamWOptions((float)learningRate, (float)Beta1, (float)Beta2, (float)Epsilon,
                p.IsVector && !DecayVectors ? 0 : (float)WeightDecay, Updates, (float)scale, RoundingKey(p));
            _backend.AdamW.Update(parameters.Storage(p), parameters.Remainders(p), Flat(parameters.FirstMoments, p), Flat(parameters.SecondMoments, p),
                parameters.Gradient(p), options);
        }

        return new UpdateResult(norm, true);
    }

    /// <summary>Global L2 norm of the gradients, summed in a fixed order.</summary>
    public double GradientNorm(ParameterSet parameters)
    {
        Span<float> host = stackalloc float[1];
        double squares = 0;
        foreach (Tensor part in parameters.Gradients)
        {
            _backend.AdamW.SquaredNorm(_norm, part, _scratch);
            _backend.Download(_norm, host);
            squares += host[0];
        }

        return Math.Sqrt(squares);
    }

    /// <inheritdoc/>
    public void Dispose() => _buffer.Dispose();

    // Weyl's sequence of the golden ratio sets the keys of neighbouring seeds far apart; parameters differ by where they lie.
    private ulong RoundingKey(Parameter p) => unchecked(((ulong)RoundingSeed * 0x9E3779B97F4A7C15) + (ulong)p.Offset);

    private static Tensor Flat(in Tensor all, Parameter p) => all.Rows(p.Offset, p.Length);
}
