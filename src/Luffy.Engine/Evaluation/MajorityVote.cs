using Luffy.Engine.Rewards;

namespace Luffy.Engine.Evaluation;

/// <summary>The answer that most samples of a problem give, where answers that the verifier calls the same are one.</summary>
public static class MajorityVote
{
    /// <summary>
    /// Whether the winner is right. Samples are taken in the order of their numbers; one joins the first group whose first answer is its own letter
    /// by letter, else the first whose first answer equals it. The largest group wins, the one begun earliest among equals. Samples without an
    /// answer do not vote.
    /// </summary>
    /// <param name="samples">The samples of one problem.</param>
    public static bool IsCorrect(IReadOnlyList<GradedCompletion> samples)
    {
        ArgumentNullException.ThrowIfNull(samples);
        var groups = new List<(string Answer, int Votes, bool Right)>();
        var known = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (GradedCompletion sample in samples.OrderBy(sample => sample.Sample))
        {
            if (sample.Result.Extracted is not { } answer) continue;
            if (!known.TryGetValue(answer, out int group))
            {
                group = groups.FindIndex(other => MathVerifier.AreEqual(other.Answer, answer));
                if (group < 0)
                {
                    group = groups.Count;
                    groups.Add((answer, 0, Evaluator.IsCorrect(sample)));
                }

                known.Add(answer, group);
            }

            groups[group] = groups[group] with { Votes = groups[group].Votes + 1 };
        }

        return groups.Count > 0 && groups.MaxBy(group => group.Votes).Right;
    }
}
