using System.Runtime.InteropServices;

namespace Luffy.Kernels;

/// <summary>
/// The specification of <see cref="IPolicyLoss"/>: one row of logits at a time through <see cref="LogSoftmax"/> and
/// <see cref="PolicyObjective"/>, then softmax's gradient back through the head.
/// </summary>
public sealed class PolicyLossReference : IPolicyLoss
{
    private readonly RowBuffer _hidden = new();
    private readonly RowBuffer _weight = new();

    /// <summary>Bytes of row buffers held.</summary>
    public long WorkspaceBytes => _hidden.Bytes + _weight.Bytes;

    /// <inheritdoc/>
    public long ScratchBytes(long rows, long hiddenSize, long vocabulary, DType dtype) => (vocabulary + hiddenSize) * sizeof(float);

    /// <inheritdoc/>
    public void LogProb(in Tensor statistics, in Tensor hidden, in LinearWeight head, in Tensor targets, float temperature,
        in Tensor scratch)
    {
        PolicyLossChecks.LogProb("PolicyLoss.LogProb", statistics, hidden, head.Rows, targets, temperature, scratch, this);
        Checks.Range("PolicyLoss.LogProb", "targets", targets.AsSpan<int>(), head.N);
        ReadOnlySpan<int> ids = targets.AsSpan<int>();
        Span<float> result = statistics.AsSpan<float>();
        result.Clear();
        Span<float> z = LogitRow(scratch, head.Rows);
        for (int r = 0; r < ids.Length; r++)
        {
            (float logSumExp, float entropy) = Logits(z, hidden, head.Rows, r, temperature);
            result[Index(TokenStatistic.LogProb, r, ids.Length)] = z[ids[r]] - logSumExp;
            result[Index(TokenStatistic.Entropy, r, ids.Length)] = entropy;
            result[Index(TokenStatistic.LogSumExp, r, ids.Length)] = logSumExp;
        }
    }

    /// <inheritdoc/>
    public void ForwardBackward(in Tensor dHidden, in Tensor dHead, in Tensor statistics, in Tensor hidden, in LinearWeight head,
        in PolicyTokens tokens, in PolicyLossOptions options, in Tensor scratch)
    {
        const string operation = "PolicyLoss.ForwardBackward";
        PolicyLossChecks.LogProb(operation, statistics, hidden, head.Rows, tokens.Targets, options.Temperature, scratch, this);
        Checks.Range(operation, "targets", tokens.Targets.AsSpan<int>(), head.N);
        PolicyLossChecks.Tokens(operation, dHidden, dHead, hidden, head.Rows, tokens, options);
        LogProb(statistics, hidden, head, tokens.Targets, options.Temperature, scratch);

        ReadOnlySpan<int> ids = tokens.Targets.AsSpan<int>(), offPolicy = tokens.OffPolicy.AsSpan<int>();
        ReadOnlySpan<float> advantages = tokens.Advantages.AsSpan<float>(), old = tokens.OldLogProbs.AsSpan<float>(),
            weights = tokens.Weights.AsSpan<float>(), behavior = tokens.BehaviorLogProbs.AsSpan<float>(),
            reference = tokens.ReferenceLogProbs.AsSpan<float>();
        Span<float> result = statistics.AsSpan<float>();
        FloatSpan hiddenGradient = new(dHidden);
        Span<float> z = LogitRow(scratch, head.Rows), sum = HiddenRow(scratch, head.Rows);
        for (int r = 0; r < ids.Length; r++)
        {
            float logProb = result[Index(TokenStatistic.LogProb, r, ids.Length)];
            TokenObjective term = PolicyObjective.Evaluate(logProb, old[r], advantages[r], offPolicy[r] != 0,
                behavior.IsEmpty ? double.NaN : behavior[r], options);
            (double kl, double klGradient) = reference.IsEmpty ? (0, 0) : PolicyObjective.Kl(logProb, reference[r], options.KlEstimator);
            result[Index(TokenStatistic.PolicyLoss, r, ids.Length)] = (float)term.Loss;
            result[Index(TokenStatistic.Weight, r, ids.Length)] = (float)term.Weight;
            result[Index(TokenStatistic.PolicyGradient, r, ids.Length)] = (float)term.Gradient;
            result[Index(TokenStatistic.Kl, r, ids.Length)] = (float)kl;
            result[Index(TokenStatistic.Clipped, r, ids.Length)] = (int)term.Clip;

            // Selected, not multiplied: a token that is out must not turn an infinity into a NaN.
            sum.Clear();
            if (weights[r] != 0)
            {
                double gradient = term.Gradient + (options.KlCoefficient == 0 ? 0 : options.KlCoefficient * klGradient);
                (float logSumExp, float entropy) = Logits(z, hidden, head.Rows, r, options.Temperature);
                LogitGradient(z, ids[r], logSumExp, entropy, (float)gradient, options.EntropyCoefficient, weights[r] / options.Temperature);
                BackwardRow(sum, dHead, z, hidden, head.Rows, r);
            }

            hiddenGradient.Write(r * sum.Length, sum);
        }
    }

    /// <summary>
    /// Overwrites scaled logits with the loss's gradient by the raw logits: scale·(g·(1[v = target] − p_v) + c·p_v·(ln p_v + H)), where
    /// the second term is −c times dH/dz_v = −p_v·(ln p_v + H).
    /// </summary>
    private static void LogitGradient(Span<float> z, int target, float logSumExp, float entropy, float gradient, float entropyCoefficient,
        float scale)
    {
        for (int v = 0; v < z.Length; v++)
        {
            float logP = z[v] - logSumExp, p = MathF.Exp(logP);
            float value = gradient * ((v == target ? 1 : 0) - p);
            if (entropyCoefficient != 0 && p != 0) value += entropyCoefficient * p * (logP + entropy);
            z[v] = scale * value;
        }
    }

    /// <summary>sum[h] += Σ_v dz[v]·head[v, h] over ascending v; dHead[v, :] += dz[v]·hidden[r, :], where it is wanted.</summary>
    private void BackwardRow(Span<float> sum, in Tensor dHead, ReadOnlySpan<float> dz, in Tensor hidden, in Tensor head, int row)
    {
        int width = sum.Length;
        FloatSpan weights = new(head);
        Span<float> headGradient = dHead.AsSpan<float>(), buffer = _weight.Take(width);
        ReadOnlySpan<float> hiddenRow = new FloatSpan(hidden).Read(row * width, width, _hidden.Take(width));
        for (int v = 0; v < dz.Length; v++)
        {
            LinearReference.AddScaled(sum, dz[v], weights.Read(v * width, width, buffer));
            if (!headGradient.IsEmpty) LinearReference.AddScaled(headGradient.Slice(v * width, width), dz[v], hiddenRow);
        }
    }

    /// <summary>One row of scaled logits, and its log-sum-exp and entropy.</summary>
    private (float LogSumExp, float Entropy) Logits(Span<float> z, in Tensor hidden, in Tensor head, int row, float temperature)
    {
        int width = (int)head.RowLength;
        FloatSpan weights = new(head);
        Span<float> buffer = _weight.Take(width);
        ReadOnlySpan<float> hiddenRow = new FloatSpan(hidden).Read(row * width, width, _hidden.Take(width));
        for (int v = 0; v < z.Length; v++) z[v] = LinearReference.Dot(hiddenRow, weights.Read(v * width, width, buffer));
        LogSoftmax.Scale(z, temperature);
        return LogSoftmax.Row(z);
    }

    private static int Index(TokenStatistic statistic, int row, int rows) => ((int)statistic * rows) + row;

    private static Span<float> LogitRow(in Tensor scratch, in Tensor head) =>
        MemoryMarshal.Cast<byte, float>(scratch.AsSpan<byte>())[..(int)head.D0];

    private static Span<float> HiddenRow(in Tensor scratch, in Tensor head) =>
        MemoryMarshal.Cast<byte, float>(scratch.AsSpan<byte>()).Slice((int)head.D0, (int)head.RowLength);
}
