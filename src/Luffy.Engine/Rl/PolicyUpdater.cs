using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Rl;

/// <summary>Gradients of a batch of rows: packs them into micro-batches, and runs forward, loss and backward over each.</summary>
public sealed class PolicyUpdater
{
    private readonly IBackend _backend;
    private readonly TransformerModel _model;
    private readonly ActivationSet _activations;
    private readonly PackedKeys _keys;
    private readonly PackedBatch _batch;
    private readonly float[] _statistics;

    /// <summary>Prepares training in an arena that has room for <paramref name="plan"/>.</summary>
    public PolicyUpdater(IBackend backend, TransformerModel model, ActivationPlan plan, DeviceBuffer arena)
    {
        (_backend, _model) = (backend, model);
        _activations = new ActivationSet(plan, arena);
        _keys = new PackedKeys(backend, ActivationPlan.AttentionOf(model.Config));
        _batch = new PackedBatch(plan.Shape);
        _statistics = new float[8 * plan.Shape.OutputRows];
    }

    /// <summary>Adds the gradients of Σ weight · loss over all tokens to those of <paramref name="parameters"/>.</summary>
    /// <param name="parameters">Weights and gradients.</param>
    /// <param name="rows">Rows of one optimiser step, or those of them that have a gradient.</param>
    /// <param name="weights">Each row's token weight, from <see cref="LossWeights"/>.</param>
    /// <param name="options">The objective.</param>
    /// <param name="statistics">Receives the sums of every token.</param>
    public void Accumulate(ParameterSet parameters, IReadOnlyList<TrainingRow> rows, ReadOnlySpan<float> weights, in PolicyLossOptions options,
        PolicyStatistics statistics)
    {
        ActivationSet a = _activations;
        foreach (Range range in BatchPacker.Pack(rows, a.Plan.Shape.Tokens, a.Plan.Shape.Sequences))
        {
            _batch.Fill(rows, range, weights);
            if (_batch.Outputs == 0) continue;
            _batch.UploadInputs(_backend, a, _keys);
            PolicyTokens tokens = _batch.UploadTokens(_backend, a);
            _model.Forward(parameters, a, _keys);
            _model.GatherOutputs(a);
            Parameter head = parameters.Layout.Head;
            _backend.PolicyLoss.ForwardBackward(a.DOutputHidden, parameters.Gradient(head), a.Statistics, a.OutputHidden, parameters.Matrix(head),
                tokens, options, a.Scratch);
            _backend.Download(a.Statistics, _statistics.AsSpan(0, 8 * _batch.Outputs));
            statistics.Add(rows, range, weights, _statistics, _batch.Outputs, options);
            _model.Backward(parameters, a, _keys);
        }
    }
}
