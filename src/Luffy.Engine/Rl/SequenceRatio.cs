using Luffy.Engine.Model;

namespace Luffy.Engine.Rl;

/// <summary>
/// GSPO's importance ratio of a whole sequence (arXiv 2507.18071 §4): s = exp(mean over its sampled tokens of ln π − ln π_old), clipped as a
/// whole. Each sampled token gets the old log-prob with which its ratio is s: ln π now, as a constant, − ln s. PPO's clip then decides for all of them
/// alike, and a token's gradient is A·s, as in the paper's GSPO-token; with loss_normalizer sequences, A·s/|y| as in GSPO itself.
/// </summary>
public static class SequenceRatio
{
    /// <summary>The rows, with other old log-probs where they have any: a row without has the ratio 1 whichever way it is counted.</summary>
    /// <param name="rows">Rows of one update.</param>
    /// <param name="scorer">Scores them.</param>
    /// <param name="parameters">The policy before the update.</param>
    /// <param name="temperature">Divides the logits.</param>
    public static IReadOnlyList<TrainingRow> Apply(IReadOnlyList<TrainingRow> rows, SequenceScorer scorer, ParameterSet parameters, float temperature)
    {
        int[] sampled = [.. Enumerable.Range(0, rows.Count).Where(i => rows[i].OldLogProbs is not null && !rows[i].IsDemonstration)];
        IReadOnlyList<float[]> current = scorer.LogProbs(parameters, [.. sampled.Select(i => rows[i])], temperature);
        TrainingRow[] result = [.. rows];
        for (int i = 0; i < sampled.Length; i++)
        {
            TrainingRow row = rows[sampled[i]];
            result[sampled[i]] = row with { OldLogProbs = OldLogProbs(row.OldLogProbs!, current[i], row.OffPolicyTokens) };
        }

        return result;
    }

    /// <summary>Old log-probs with which every sampled token's ratio is the sequence's.</summary>
    /// <param name="old">ln π_old of the response's tokens; NaN counts as ratio 1.</param>
    /// <param name="current">ln π of them now.</param>
    /// <param name="offPolicyTokens">Leading tokens that were given and not sampled; theirs stay what they are.</param>
    public static float[] OldLogProbs(float[] old, float[] current, int offPolicyTokens)
    {
        double sum = 0;
        for (int i = offPolicyTokens; i < old.Length; i++) sum += float.IsNaN(old[i]) ? 0 : (double)current[i] - old[i];
        double logRatio = sum / Math.Max(1, old.Length - offPolicyTokens);
        return [.. old.Select((value, i) => i < offPolicyTokens ? value : (float)(current[i] - logRatio))];
    }
}
