using Luffy.Engine.Configuration;

namespace Luffy.Engine.Rl;

/// <summary>
/// Every row's weight by the denominator of its tokens. All denominators are counted over the whole mini-batch, zero-advantage rows included, before
/// the first backward pass: the update is then the same for any micro-batch size and packing. Imitated rows have a denominator of their own, the
/// number of their tokens, and do not count in that of the others.
/// </summary>
public static class LossWeights
{
    /// <summary>The weight of each token of each row; 0 for masked rows.</summary>
    /// <param name="rows">All rows of one optimiser step.</param>
    /// <param name="normalizer">What the sum over rows that are not imitated is divided by.</param>
    /// <param name="maxCompletionLength">The constant of <see cref="LossNormalizer.MaxLength"/> and <see cref="LossNormalizer.LuffyReference"/>.</param>
    public static float[] Of(IReadOnlyList<TrainingRow> rows, LossNormalizer normalizer, int maxCompletionLength)
    {
        long counted = 0, tokens = 0, imitated = 0;
        foreach (TrainingRow row in rows)
        {
            if (row.Masked) continue;
            if (row.Imitated)
            {
                imitated += row.ResponseLength;
                continue;
            }

            counted++;
            tokens += row.ResponseLength;
        }

        var weights = new float[rows.Count];
        for (int i = 0; i < weights.Length; i++)
        {
            TrainingRow row = rows[i];
            if (row.Masked || row.ResponseLength == 0) continue;
            double denominator = normalizer switch
            {
                _ when row.Imitated => imitated,
                LossNormalizer.MaxLength => (double)maxCompletionLength * counted,
                LossNormalizer.Tokens => tokens,
                LossNormalizer.Sequences => (double)counted * row.ResponseLength,
                LossNormalizer.Sum => 1,
                LossNormalizer.LuffyReference => maxCompletionLength,
                _ => throw new ArgumentOutOfRangeException(nameof(normalizer), normalizer, "unknown normaliser"),
            };
            weights[i] = (float)(row.Weight / denominator);
        }

        return weights;
    }
}
