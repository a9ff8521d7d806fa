using Luffy.Engine.Configuration;
using Luffy.Engine.Data;
using Luffy.Engine.Rewards;
using Luffy.Engine.Rl;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Rl;

/// <summary>
/// The golden 4 × 4 tokens (<c>GoldenVectorTests</c>) as a group: rows of 3, 2, 4 and 4 tokens, of which row 1 is right and row 3 is the
/// demonstration. What a method makes of them is worked out by hand in its test.
/// </summary>
internal static class GoldenGroup
{
    private static readonly double[][] Probability = [[.5, .25, .8], [.9, .6], [.3, .3, .3, .3], [.01, .1, .5, .95]];
    private static readonly double[][] Old = [[.5, .20, .8], [.6, .6], [.3, .4, .3, .3]];

    /// <summary>The group, its demonstration a member of it or not.</summary>
    /// <param name="member">Whether the demonstration is a member.</param>
    /// <param name="given">Tokens of row 2 that are the prefix of a demonstration.</param>
    public static RolloutGroup Make(bool member, int given = 0)
    {
        var example = new PromptExample { Id = "p", Source = "s", Messages = [], Answer = "1" };
        var prompt = new TokenizedPrompt { Example = example, PromptIds = [0], Demonstrations = [] };
        return new RolloutGroup(prompt, [.. Probability.Select((row, i) => new GroupRow
        {
            // Ids tell the tokens apart: 10 · row + place.
            Ids = [0, .. row.Select((_, t) => (10 * i) + t)],
            PromptLength = 1,
            OffPolicyTokens = i == 3 ? 4 : i == 2 ? given : 0,
            LogProbs = i == 3 ? null : [.. Old[i].Select(p => (float)Math.Log(p))],
            LeftOut = i == 3 && !member,
            Text = "",
            Result = new RewardResult(i % 2, null),
            IsCorrect = i % 2 == 1,
        })]);
    }

    /// <summary>The loss of an update over the group, and d loss / d ln π of each token by its id.</summary>
    public static (double Loss, Dictionary<int, double> Gradient) Evaluate(RolloutGroup group, LossOptions loss)
    {
        UpdateRows rows = UpdateRows.Of([group], maskTruncated: false, referenceLogProbs: null);
        float[] weights = LossWeights.Of(rows.Rows, loss.LossNormalizer, 4);
        var objectives = PolicyObjectives.Of(loss, 1, 0);
        double total = 0;
        var gradient = new Dictionary<int, double>();
        for (int i = 0; i < weights.Length; i++)
        {
            TrainingRow row = rows.Rows[i];
            for (int t = 0; t < row.ResponseLength; t++)
            {
                int id = row.Ids[1 + t];
                double weight = rows.HasGradient[i] ? weights[i] * row.TokenWeight(t) : 0;
                TokenObjective token = PolicyObjective.Evaluate(Math.Log(Probability[id / 10][id % 10]), row.OldLogProbs?[t] ?? double.NaN, row.Advantage,
                    t < row.OffPolicyTokens, double.NaN, row.Imitated ? objectives.Imitation : objectives.Reinforcement);
                total += weight * token.Loss;
                gradient[id] = gradient.GetValueOrDefault(id) + (weight * token.Gradient);
            }
        }

        return (total, gradient);
    }
}
