using Luffy.Engine.Data;

namespace Luffy.Engine.Evaluation;

/// <summary>One problem of an evaluation, however many rows of the file stand for it.</summary>
/// <param name="Prompt">The first of its rows, tokenised.</param>
/// <param name="Repeats">Rows of the same data source, messages and gold answer; the benchmarks repeat a row to have it sampled as often.</param>
public sealed record EvaluationProblem(TokenizedPrompt Prompt, int Repeats)
{
    /// <summary>Puts equal rows together: the first stands for all, in its place.</summary>
    public static IReadOnlyList<(PromptExample Example, int Repeats)> Distinct(IEnumerable<PromptExample> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var places = new Dictionary<UInt128, int>();
        var problems = new List<(PromptExample Example, int Repeats)>();
        foreach (PromptExample row in rows)
        {
            UInt128 identity = PromptIdentity.Of(row);
            if (places.TryGetValue(identity, out int place))
            {
                problems[place] = (problems[place].Example, problems[place].Repeats + 1);
                continue;
            }

            places.Add(identity, problems.Count);
            problems.Add((row, 1));
        }

        return problems;
    }
}
