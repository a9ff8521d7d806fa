using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Rl;

/// <summary>Log-probs or entropies of given tokens: one forward pass, no gradients, no logits.</summary>
/// <param name="backend">Computes.</param>
/// <param name="model">The forward pass.</param>
/// <param name="plan">How much fits at once.</param>
/// <param name="arena">Has room for <paramref name="plan"/>.</param>
/// <param name="lossScratch">Where the plan has no room for the loss: that room.</param>
public sealed class SequenceScorer(IBackend backend, TransformerModel model, ActivationPlan plan, DeviceBuffer arena, Tensor lossScratch = default)
{
    private readonly PackedPass _pass = new(backend, model, plan, arena, lossScratch);

    /// <summary>Tokens that have gone through a model so far.</summary>
    public long Tokens { get; private set; }

    /// <summary>ln π of each response token of each row at a temperature.</summary>
    public IReadOnlyList<float[]> LogProbs(ParameterSet parameters, IReadOnlyList<TrainingRow> rows, float temperature = 1) =>
        Statistic(TokenStatistic.LogProb, parameters, rows, temperature);

    /// <summary>Entropy of the distribution that each response token of each row was drawn from, in nats, at a temperature.</summary>
    public IReadOnlyList<float[]> Entropies(ParameterSet parameters, IReadOnlyList<TrainingRow> rows, float temperature = 1) =>
        Statistic(TokenStatistic.Entropy, parameters, rows, temperature);

    private List<float[]> Statistic(TokenStatistic statistic, ParameterSet parameters, IReadOnlyList<TrainingRow> rows, float temperature)
    {
        var result = new List<float[]>(rows.Count);
        Tokens += rows.Sum(r => (long)r.InputTokens);
        ActivationSet a = _pass.Activations;
        foreach (Range range in _pass.Split(rows))
        {
            ReadOnlySpan<float> statistics = default;
            if (_pass.Forward(parameters, rows, range, default))
            {
                backend.PolicyLoss.LogProb(a.Statistics, a.OutputHidden, parameters.Matrix(parameters.Layout.Head), a.Targets, temperature, _pass.LossScratch);
                statistics = _pass.DownloadStatistics();
            }

            int next = (int)statistic * _pass.Outputs;
            (int first, int count) = range.GetOffsetAndLength(rows.Count);
            for (int i = 0; i < count; i++)
            {
                int length = rows[first + i].ResponseLength;
                result.Add(statistics.Slice(next, length).ToArray());
                next += length;
            }
        }

        return result;
    }
}
