using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Rl;

/// <summary>The forward pass over rows, micro-batch by micro-batch, up to the hidden states of their response tokens: what scoring and updating share.</summary>
internal sealed class PackedPass(IBackend backend, TransformerModel model, ActivationPlan plan, DeviceBuffer arena, Tensor lossScratch)
{
    private readonly PackedBatch _batch = new(plan.Shape);
    private readonly float[] _statistics = new float[8 * plan.Shape.OutputRows];

    public ActivationSet Activations { get; } = new(plan, arena);

    /// <summary>Scratch of the loss, which needs far more than the rest.</summary>
    public Tensor LossScratch => lossScratch.Exists ? lossScratch : Activations.Scratch;

    public PackedKeys Keys { get; } = new(backend, ActivationPlan.AttentionOf(model.Config));

    /// <summary>Response tokens of the current micro-batch.</summary>
    public int Outputs => _batch.Outputs;

    /// <summary>Ranges of rows that fit the plan.</summary>
    public IReadOnlyList<Range> Split(IReadOnlyList<TrainingRow> rows) => BatchPacker.Pack(rows, plan.Shape.Tokens, plan.Shape.Sequences);

    /// <summary>Runs one micro-batch; false where it has no response token and nothing was run.</summary>
    public bool Forward(ParameterSet parameters, IReadOnlyList<TrainingRow> rows, Range range, ReadOnlySpan<float> weights)
    {
        _batch.Fill(rows, range, weights);
        if (_batch.Outputs == 0) return false;
        _batch.UploadInputs(backend, Activations, Keys);
        model.Forward(parameters, Activations, Keys);
        model.GatherOutputs(Activations);
        return true;
    }

    /// <summary>Uploads what the loss reads beside the hidden states.</summary>
    public PolicyTokens UploadTokens() => _batch.UploadTokens(backend, Activations);

    /// <summary>Token statistics [8, <see cref="Outputs"/>] of the current micro-batch.</summary>
    public ReadOnlySpan<float> DownloadStatistics()
    {
        Span<float> statistics = _statistics.AsSpan(0, 8 * Outputs);
        backend.Download(Activations.Statistics, statistics);
        return statistics;
    }
}
