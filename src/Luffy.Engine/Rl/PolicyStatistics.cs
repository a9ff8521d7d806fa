using Luffy.Kernels;

namespace Luffy.Engine.Rl;

/// <summary>
/// Sums over the tokens of one optimiser step, sampled, off-policy and imitated apart, in double and in row order: the numbers behind every
/// <c>actor/*</c> metric. Empty sets contribute exactly zero.
/// </summary>
public sealed class PolicyStatistics
{
    /// <summary>Upper edges of the histogram of p on demonstration tokens.</summary>
    public static readonly float[] ProbabilityEdges = [0.001f, 0.01f, 0.1f, 0.25f, 0.5f, 0.75f, 0.9f, 0.99f, 1f];

    /// <summary>Sums of one kind of token.</summary>
    public sealed class Sums
    {
        public long Tokens { get; internal set; }
        public double PolicyLoss { get; internal set; }
        public double Probability { get; internal set; }
        public double LogProb { get; internal set; }
        public double Entropy { get; internal set; }
        public double Weight { get; internal set; }

        /// <summary>|d policy term / d ln π| by advantage: the effective gradient weight.</summary>
        public double GradientWeight { get; internal set; }
        public double Kl { get; internal set; }
        public double OldMinusNew { get; internal set; }
        public long Clipped { get; internal set; }
        public long AboveUpperBound { get; internal set; }
        public long BelowLowerBound { get; internal set; }

        /// <summary>Tokens with any of these bounds active: of sampled ones PPO's clip, or CISPO's bounds.</summary>
        public long Bounded => Clipped + AboveUpperBound + BelowLowerBound;

        /// <summary>Tokens whose probability exceeded max_probability.</summary>
        public long Dropped { get; internal set; }

        /// <summary>Tokens by probability, up to each of <see cref="ProbabilityEdges"/>; not counted for sampled ones.</summary>
        public long[] ProbabilityHistogram { get; } = new long[ProbabilityEdges.Length];

        /// <summary>Mean over the tokens, 0 where there are none.</summary>
        public double Mean(double sum) => Tokens == 0 ? 0 : sum / Tokens;
    }

    /// <summary>Sampled tokens.</summary>
    public Sums OnPolicy { get; } = new();

    /// <summary>Demonstration tokens that are members of a group, as whole rows or as prefixes.</summary>
    public Sums OffPolicy { get; } = new();

    /// <summary>Demonstration tokens of the supervised loss.</summary>
    public Sums Imitated { get; } = new();

    /// <summary>Demonstration tokens: those in groups, or where there are none, those of the supervised loss.</summary>
    public Sums Demonstrated => OffPolicy.Tokens > 0 ? OffPolicy : Imitated;

    /// <summary>Σ weight · loss over the imitated tokens: their part of <see cref="Loss"/>.</summary>
    public double ImitationLoss { get; private set; }

    /// <summary>Σ weight · (policy − entropy_coef · H + beta · kl): the loss whose gradient is taken.</summary>
    public double Loss { get; private set; }

    /// <summary>The policy part of <see cref="Loss"/>.</summary>
    public double PolicyLoss { get; private set; }

    /// <summary>Largest |ln π now − ln π recorded while sampling| over sampled tokens; 0 in one engine before the first update.</summary>
    public double MaxLogProbDifference { get; private set; }

    /// <summary>Sum of the same differences.</summary>
    public double SumLogProbDifference { get; private set; }

    /// <summary>Adds one micro-batch's statistics [8, n] row by row.</summary>
    internal void Add(IReadOnlyList<TrainingRow> rows, Range range, ReadOnlySpan<float> weights, ReadOnlySpan<float> statistics, int outputs,
        in PolicyLossOptions options)
    {
        (int first, int count) = range.GetOffsetAndLength(rows.Count);
        int o = 0;
        for (int s = 0; s < count; s++)
        {
            TrainingRow row = rows[first + s];
            for (int i = 0; i < row.ResponseLength; i++, o++)
            {
                float weight = weights[first + s] * row.TokenWeight(i);
                if (weight != 0) AddToken(row, i, weight, statistics, o, outputs, options);
            }
        }
    }

    private void AddToken(TrainingRow row, int i, float weight, ReadOnlySpan<float> statistics, int o, int n, in PolicyLossOptions options)
    {
        float logProb = statistics[o], entropy = statistics[n + o], policy = statistics[(3 * n) + o], kl = statistics[(6 * n) + o];
        bool off = row.Imitated || i < row.OffPolicyTokens;
        Sums sums = row.Imitated ? Imitated : off ? OffPolicy : OnPolicy;
        double probability = Math.Exp(logProb);
        sums.Tokens++;
        sums.PolicyLoss += policy;
        sums.Probability += probability;
        sums.LogProb += logProb;
        sums.Entropy += entropy;
        sums.Weight += statistics[(4 * n) + o];
        float advantage = row.AdvantageOf(i);
        if (advantage != 0) sums.GradientWeight += Math.Abs(statistics[(5 * n) + o] / advantage);
        sums.Kl += kl;
        switch ((int)statistics[(7 * n) + o])
        {
            case 1: sums.Clipped++; break;
            case 2: sums.AboveUpperBound++; break;
            case 3: sums.BelowLowerBound++; break;
            case 4: sums.Dropped++; break;
        }

        PolicyLoss += (double)weight * policy;
        Loss += weight * (policy - (options.EntropyCoefficient * (double)entropy) + (options.KlCoefficient * (double)kl));
        if (row.Imitated) ImitationLoss += (double)weight * policy;
        if (off)
        {
            int bin = 0;
            while (bin < ProbabilityEdges.Length - 1 && probability > ProbabilityEdges[bin]) bin++;
            sums.ProbabilityHistogram[bin]++;
            return;
        }

        float old = row.OldLogProbs is null ? float.NaN : row.OldLogProbs[i];
        if (float.IsNaN(old)) return;
        double difference = (double)old - logProb;
        sums.OldMinusNew += difference;
        SumLogProbDifference += Math.Abs(difference);
        MaxLogProbDifference = Math.Max(MaxLogProbDifference, Math.Abs(difference));
    }
}
