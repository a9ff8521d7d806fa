using Luffy.Engine.Rewards;

namespace Luffy.Engine.Evaluation;

/// <summary>One response of an evaluation, as a line of its file.</summary>
public sealed record ResponseRecord
{
    /// <summary>Index of the problem, from 0, in the order of the table.</summary>
    public required int Item { get; init; }

    /// <summary>The row's id; of equal rows the first's.</summary>
    public required string Id { get; init; }

    /// <summary>The data source.</summary>
    public required string DataSource { get; init; }

    /// <summary>Number of the sample; −1 is greedy decoding.</summary>
    public required int Sample { get; init; }

    /// <summary>The gold answer.</summary>
    public required string Gold { get; init; }

    /// <summary>The answer found in the response; absent where there is none.</summary>
    public string? Extracted { get; init; }

    /// <summary>Whether it is right.</summary>
    public required bool Correct { get; init; }

    /// <summary>What the reward said: at least ½ is right.</summary>
    public required double Reward { get; init; }

    /// <summary>Why it scored as it did, where that is not obvious.</summary>
    public string? Note { get; init; }

    /// <summary>Tokens.</summary>
    public required int Length { get; init; }

    /// <summary>Whether the longest length allowed cut it off.</summary>
    public required bool Truncated { get; init; }

    /// <summary>The response.</summary>
    public required string Text { get; init; }

    /// <summary>The response's ids, the stop token included.</summary>
    public required int[] Ids { get; init; }

    internal static ResponseRecord Of(GradedCompletion completion, EvaluationProblem problem) => new()
    {
        Item = completion.Item,
        Id = problem.Prompt.Example.Id,
        DataSource = problem.Prompt.Example.Source,
        Sample = completion.Sample,
        Gold = problem.Prompt.Example.Answer,
        Extracted = completion.Result.Extracted,
        Correct = Evaluator.IsCorrect(completion),
        Reward = completion.Result.Value,
        Note = completion.Result.Note,
        Length = completion.Ids.Length,
        Truncated = completion.Truncated,
        Text = completion.Text,
        Ids = completion.Ids,
    };

    // Null where it is of another problem than has its number now.
    internal GradedCompletion? Completion(IReadOnlyList<EvaluationProblem> problems) =>
        Item < 0 || Item >= problems.Count || problems[Item].Prompt.Example.Id != Id ? null : new(Item, Sample, Ids, Text, new RewardResult(Reward, Extracted, Note), Truncated);
}
