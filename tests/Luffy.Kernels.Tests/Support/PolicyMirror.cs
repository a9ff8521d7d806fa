using System.Numerics;

namespace Luffy.Kernels.Tests;

/// <summary>
/// LM head, log-softmax, objective and gradients as an unfused composition with all logits in memory, generic in precision. The
/// objective of one token is <see cref="PolicyObjective"/>, which golden vectors and its own tests check.
/// </summary>
internal static class PolicyMirror<T> where T : IFloatingPointIeee754<T>
{
    public sealed record Result(T[] LogProb, T[] Entropy, T[] LogSumExp, T[] Policy, T[] Weight, T[] PolicyGradient, T[] Kl, PolicyClip[] Clip,
        T[] DHidden, T[] DHead);

    public static double[] LogProbs(PolicyBatch batch, double temperature)
    {
        (double[] z, double[] logSumExp, _) = PolicyMirror<double>.Logits(batch, Inputs.ToDouble(batch.Hidden), Inputs.ToDouble(batch.Head), temperature);
        return [.. Enumerable.Range(0, batch.Rows).Select(r => z[(r * batch.Vocabulary) + batch.Targets[r]] - logSumExp[r])];
    }

    /// <summary>Scaled logits, their log-sum-exp and entropy.</summary>
    public static (T[] Z, T[] LogSumExp, T[] Entropy) Logits(PolicyBatch batch, T[] hidden, T[] head, T temperature)
    {
        Precision<T> exact = new(value => T.CreateChecked(value), value => value);
        T[] z = Mirror<T>.Linear(exact, hidden, head, null, batch.Rows, batch.Vocabulary, batch.Width, stored: false);
        (T[] logSumExp, T[] entropy) = (new T[batch.Rows], new T[batch.Rows]);
        for (int r = 0; r < batch.Rows; r++)
        {
            Span<T> row = z.AsSpan(r * batch.Vocabulary, batch.Vocabulary);
            T maximum = T.NegativeInfinity, total = T.Zero;
            foreach (ref T value in row)
            {
                value /= temperature;
                maximum = T.Max(maximum, value);
            }

            foreach (T value in row) total += T.Exp(value - maximum);
            logSumExp[r] = maximum + T.Log(total);
            foreach (T value in row) entropy[r] -= T.Exp(value - logSumExp[r]) * (value - logSumExp[r]);
        }

        return (z, logSumExp, entropy);
    }

    public static Result Forward(Precision<T> at, PolicyBatch batch, PolicyLossOptions options, T[] hidden, T[] head)
    {
        T temperature = T.CreateChecked(options.Temperature);
        (T[] z, T[] logSumExp, T[] entropy) = Logits(batch, hidden, head, temperature);
        int rows = batch.Rows, vocabulary = batch.Vocabulary;
        Result result = new(new T[rows], entropy, logSumExp, new T[rows], new T[rows], new T[rows], new T[rows], new PolicyClip[rows],
            new T[rows * batch.Width], new T[vocabulary * batch.Width]);
        T[] dz = new T[z.Length];
        for (int r = 0; r < rows; r++)
        {
            result.LogProb[r] = z[(r * vocabulary) + batch.Targets[r]] - logSumExp[r];
            (TokenObjective term, double kl, double klGradient) = Term(batch, options, r, double.CreateChecked(result.LogProb[r]), batch.OldLogProbs[r]);
            (result.Policy[r], result.Weight[r], result.PolicyGradient[r]) = (T.CreateChecked(term.Loss), T.CreateChecked(term.Weight), T.CreateChecked(term.Gradient));
            (result.Kl[r], result.Clip[r]) = (T.CreateChecked(kl), term.Clip);
            T gradient = T.CreateChecked(term.Gradient + (options.KlCoefficient * klGradient)), scale = T.CreateChecked(batch.Weights[r]) / temperature;
            for (int v = 0; v < vocabulary; v++)
            {
                T logP = z[(r * vocabulary) + v] - logSumExp[r], p = T.Exp(logP);
                T one = v == batch.Targets[r] ? T.One : T.Zero;
                dz[(r * vocabulary) + v] = at.Store(scale * ((gradient * (one - p)) + (T.CreateChecked(options.EntropyCoefficient) * p * (logP + entropy[r]))));
            }
        }

        T[] dHidden = Mirror<T>.LinearInputGradient(at, dz, head, rows, vocabulary, batch.Width);
        T[] dHead = Mirror<T>.LinearWeightGradient(new T[head.Length], new T[vocabulary], dz, hidden, rows, vocabulary, batch.Width).DWeight;
        return result with { DHidden = dHidden, DHead = dHead };
    }

    /// <summary>Σ weight·(policy − c·H + k·kl) in f64, with missing old log-probs taken from <paramref name="constants"/>.</summary>
    public static double Loss(PolicyBatch batch, PolicyLossOptions options, double[] hidden, double[] head, double[] constants)
    {
        (double[] z, double[] logSumExp, double[] entropy) = PolicyMirror<double>.Logits(batch, hidden, head, options.Temperature);
        double loss = 0;
        for (int r = 0; r < batch.Rows; r++)
        {
            double logProb = z[(r * batch.Vocabulary) + batch.Targets[r]] - logSumExp[r];
            double old = float.IsNaN(batch.OldLogProbs[r]) ? constants[r] : batch.OldLogProbs[r];
            (TokenObjective term, double kl, _) = Term(batch, options, r, logProb, old);
            loss += batch.Weights[r] * (term.Loss - (options.EntropyCoefficient * entropy[r]) + (options.KlCoefficient * kl));
        }

        return loss;
    }

    private static (TokenObjective Term, double Kl, double KlGradient) Term(PolicyBatch batch, PolicyLossOptions options, int r, double logProb, double old)
    {
        TokenObjective term = PolicyObjective.Evaluate(logProb, old, batch.Advantages[r], batch.OffPolicy[r] == 1,
            batch.BehaviorLogProbs?[r] ?? double.NaN, options);
        (double kl, double gradient) = batch.ReferenceLogProbs is null ? (0, 0) : PolicyObjective.Kl(logProb, batch.ReferenceLogProbs[r], options.KlEstimator);
        return (term, kl, gradient);
    }
}
