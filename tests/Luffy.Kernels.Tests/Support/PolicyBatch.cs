namespace Luffy.Kernels.Tests;

/// <summary>What a backend computed for a batch of tokens.</summary>
public sealed record PolicyResult(float[] Statistics, float[] DHidden, float[] DHead)
{
    public float[] Statistic(TokenStatistic statistic)
    {
        int rows = Statistics.Length / 8;
        return Statistics[((int)statistic * rows)..(((int)statistic + 1) * rows)];
    }
}

/// <summary>
/// Tokens of every kind: sampled with an old log-prob, without one, demonstrations with and without the teacher's probability, tokens
/// of weight 0.
/// </summary>
public sealed class PolicyBatch
{
    public required int Rows { get; init; }

    public required int Width { get; init; }

    public required int Vocabulary { get; init; }

    public required float[] Hidden { get; init; }

    public required float[] Head { get; init; }

    public required int[] Targets { get; init; }

    public required float[] Advantages { get; init; }

    public required float[] OldLogProbs { get; init; }

    public required int[] OffPolicy { get; init; }

    public required float[] Weights { get; init; }

    public required float[]? BehaviorLogProbs { get; init; }

    public required float[]? ReferenceLogProbs { get; init; }

    public static PolicyBatch Random(int seed, DType dtype, int rows, int width, int vocabulary)
    {
        System.Random random = new(seed);
        PolicyBatch batch = new()
        {
            Rows = rows,
            Width = width,
            Vocabulary = vocabulary,
            Hidden = Inputs.Normal(seed + 1, dtype, rows * width),
            Head = Inputs.Normal(seed + 2, dtype, vocabulary * width, 1.2 / Math.Sqrt(width)),
            Targets = Inputs.Ids(seed + 3, rows, vocabulary),
            Advantages = Inputs.Normal(seed + 4, DType.F32, rows),
            OldLogProbs = new float[rows],
            OffPolicy = new int[rows],
            Weights = new float[rows],
            BehaviorLogProbs = new float[rows],
            ReferenceLogProbs = new float[rows],
        };
        double[] logProbs = PolicyMirror<double>.LogProbs(batch, 1);
        for (int r = 0; r < rows; r++)
        {
            batch.OffPolicy[r] = r % 3 == 2 ? 1 : 0;
            batch.Weights[r] = r % 7 == 5 ? 0 : (float)(0.2 + random.NextDouble());
            batch.OldLogProbs[r] = r % 4 == 1 ? float.NaN : (float)(logProbs[r] + (0.5 * (random.NextDouble() - 0.5)));
            batch.BehaviorLogProbs[r] = r % 6 == 5 ? (float)Math.Log(0.3 + (0.6 * random.NextDouble())) : float.NaN;
            batch.ReferenceLogProbs[r] = (float)(logProbs[r] + (0.8 * (random.NextDouble() - 0.5)));
        }

        return batch;
    }

    /// <summary>The tokens start … start + count − 1 alone.</summary>
    public PolicyBatch Slice(int start, int count) => new()
    {
        Rows = count,
        Width = Width,
        Vocabulary = Vocabulary,
        Hidden = Hidden[(start * Width)..((start + count) * Width)],
        Head = Head,
        Targets = Targets[start..(start + count)],
        Advantages = Advantages[start..(start + count)],
        OldLogProbs = OldLogProbs[start..(start + count)],
        OffPolicy = OffPolicy[start..(start + count)],
        Weights = Weights[start..(start + count)],
        BehaviorLogProbs = BehaviorLogProbs?[start..(start + count)],
        ReferenceLogProbs = ReferenceLogProbs?[start..(start + count)],
    };

    /// <summary>Loss and gradients on a backend; the head's gradient is added to <paramref name="headGradient"/>, or to zero.</summary>
    public PolicyResult Run(Lab lab, DType dtype, PolicyLossOptions options, float[]? headGradient = null, WeightForm form = WeightForm.Both,
        IPolicyLoss? loss = null, bool headIsTrained = true)
    {
        loss ??= lab.Backend.PolicyLoss;
        Tensor head = lab.Floats(dtype, Head, Vocabulary, Width), hidden = lab.Floats(dtype, Hidden, Rows, Width);
        Tensor dHidden = lab.Output(dtype, Rows, Width), dHead = lab.Floats(DType.F32, headGradient ?? new float[Vocabulary * Width], Vocabulary, Width);
        Tensor statistics = lab.Output(DType.F32, 8, Rows);
        PolicyTokens tokens = new(lab.Ints(Targets), Floats(Advantages), Floats(OldLogProbs), lab.Ints(OffPolicy), Floats(Weights),
            BehaviorLogProbs is null ? default : Floats(BehaviorLogProbs), ReferenceLogProbs is null ? default : Floats(ReferenceLogProbs));
        loss.ForwardBackward(dHidden, headIsTrained ? dHead : default, statistics, hidden, lab.Weight(head, form), tokens, options,
            lab.Scratch(loss.ScratchBytes(Rows, Width, Vocabulary, dtype)));
        return new PolicyResult(lab.Read(statistics), lab.Read(dHidden), lab.Read(dHead));

        Tensor Floats(float[] values) => lab.Floats(DType.F32, values, Rows);
    }

    /// <summary>The statistics of the forward-only call.</summary>
    public PolicyResult LogProb(Lab lab, DType dtype, float temperature, WeightForm form = WeightForm.Both)
    {
        Tensor head = lab.Floats(dtype, Head, Vocabulary, Width), statistics = lab.Output(DType.F32, 8, Rows);
        lab.Backend.PolicyLoss.LogProb(statistics, lab.Floats(dtype, Hidden, Rows, Width), lab.Weight(head, form),
            lab.Ints(Targets), temperature, lab.Scratch(lab.Backend.PolicyLoss.ScratchBytes(Rows, Width, Vocabulary, dtype)));
        return new PolicyResult(lab.Read(statistics), [], []);
    }
}
