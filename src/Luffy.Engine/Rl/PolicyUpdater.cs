using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Rl;

/// <summary>Gradients of a batch of rows: packs them into micro-batches, and runs forward, loss and backward over each.</summary>
/// <param name="backend">Computes.</param>
/// <param name="model">The forward and the backward pass.</param>
/// <param name="plan">How much fits at once; made for training.</param>
/// <param name="arena">Has room for <paramref name="plan"/>.</param>
/// <param name="lossScratch">Where the plan has no room for the loss: that room.</param>
public sealed class PolicyUpdater(IBackend backend, TransformerModel model, ActivationPlan plan, DeviceBuffer arena, Tensor lossScratch = default)
{
    private readonly PackedPass _pass = new(backend, model, plan, arena, lossScratch);

    /// <summary>Adds the gradients of Σ weight · loss over all tokens to those of <paramref name="parameters"/>.</summary>
    /// <param name="parameters">Weights and gradients.</param>
    /// <param name="rows">Rows of one optimiser step, or those of them that have a gradient.</param>
    /// <param name="weights">Each row's token weight, from <see cref="LossWeights"/>.</param>
    /// <param name="options">The objective.</param>
    /// <param name="statistics">Receives the sums of every token.</param>
    public void Accumulate(ParameterSet parameters, IReadOnlyList<TrainingRow> rows, ReadOnlySpan<float> weights, in PolicyLossOptions options,
        PolicyStatistics statistics)
    {
        ActivationSet a = _pass.Activations;
        Parameter head = parameters.Layout.Head;
        IReadOnlyList<Range> passes = _pass.Split(rows);
        if (parameters.GradientDType != DType.F32 && passes.Count > 1)
        {
            throw new LuffyException($"gradient_dtype bf16 makes an update of one forward and backward pass, but its {rows.Count} rows of " +
                $"{rows.Sum(r => r.InputTokens)} tokens need {passes.Count}; raise tokens_per_micro_batch or mini_batches, or choose f32");
        }

        bool any = false;
        foreach (Range range in passes)
        {
            if (!_pass.Forward(parameters, rows, range, weights)) continue;
            backend.PolicyLoss.ForwardBackward(a.DOutputHidden, parameters.GradientOrNone(head), a.Statistics, a.OutputHidden, parameters.Matrix(head),
                _pass.UploadTokens(), options, _pass.LossScratch);
            statistics.Add(rows, range, weights, _pass.DownloadStatistics(), _pass.Outputs, options);
            model.Backward(parameters, a, _pass.Keys);
            any = true;
        }

        if (!any) parameters.ZeroRoundedGradients();
    }
}
