using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Rl;

/// <summary>Log-probs of given tokens: one forward pass, no gradients, no logits.</summary>
public sealed class SequenceScorer
{
    private readonly IBackend _backend;
    private readonly TransformerModel _model;
    private readonly ActivationSet _activations;
    private readonly PackedKeys _keys;
    private readonly PackedBatch _batch;
    private readonly float[] _statistics;

    /// <summary>Prepares scoring in an arena that has room for <paramref name="plan"/>.</summary>
    public SequenceScorer(IBackend backend, TransformerModel model, ActivationPlan plan, DeviceBuffer arena)
    {
        (_backend, _model) = (backend, model);
        _activations = new ActivationSet(plan, arena);
        _keys = new PackedKeys(backend, ActivationPlan.AttentionOf(model.Config));
        _batch = new PackedBatch(plan.Shape);
        _statistics = new float[8 * plan.Shape.OutputRows];
    }

    /// <summary>ln π of each response token of each row at a temperature.</summary>
    public IReadOnlyList<float[]> LogProbs(ParameterSet parameters, IReadOnlyList<TrainingRow> rows, float temperature = 1)
    {
        var result = new List<float[]>(rows.Count);
        ActivationSet a = _activations;
        foreach (Range range in BatchPacker.Pack(rows, a.Plan.Shape.Tokens, a.Plan.Shape.Sequences))
        {
            _batch.Fill(rows, range, default);
            _batch.UploadInputs(_backend, a, _keys);
            if (_batch.Outputs > 0)
            {
                _model.Forward(parameters, a, _keys);
                _model.GatherOutputs(a);
                _backend.PolicyLoss.LogProb(a.Statistics, a.OutputHidden, parameters.Matrix(parameters.Layout.Head), a.Targets, temperature, a.Scratch);
                _backend.Download(a.Statistics, _statistics.AsSpan(0, 8 * _batch.Outputs));
            }

            int next = (int)TokenStatistic.LogProb * _batch.Outputs;
            (int first, int count) = range.GetOffsetAndLength(rows.Count);
            for (int i = 0; i < count; i++)
            {
                int length = rows[first + i].ResponseLength;
                result.Add(_statistics.AsSpan(next, length).ToArray());
                next += length;
            }
        }

        return result;
    }
}
