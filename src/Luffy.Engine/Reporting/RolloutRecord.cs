namespace Luffy.Engine.Reporting;

/// <summary>One row of a step. Its fields hold those of a row of <c>luffy replay</c>, so a recorded step can be executed again.</summary>
public sealed record RolloutRecord
{
    /// <summary>The prompt's id in its dataset; rows of one group share it.</summary>
    public required string PromptId { get; init; }

    /// <summary>The data source or task family.</summary>
    public required string DataSource { get; init; }

    /// <summary>The prompt as text.</summary>
    public required string Prompt { get; init; }

    /// <summary>The completion as text; a view of the ids.</summary>
    public required string Text { get; init; }

    /// <summary>Prompt and completion.</summary>
    public required IReadOnlyList<int> Ids { get; init; }

    /// <summary>How many of the ids are the prompt.</summary>
    public required int PromptLength { get; init; }

    /// <summary><c>on</c> for a sampled row, <c>off</c> for a demonstration or a replayed success.</summary>
    public required string Source { get; init; }

    /// <summary>Ids of the completion that were given from a demonstration and not sampled; 0 for a whole sample.</summary>
    public int PrefixLength { get; init; }

    /// <summary>The reward.</summary>
    public required double Reward { get; init; }

    /// <summary>The answer that the reward found in the completion.</summary>
    public string? Extracted { get; init; }

    /// <summary>The advantage within the group.</summary>
    public required double Advantage { get; init; }

    /// <summary>True where the row has no part in the loss of reinforcement learning and its denominators; null means that it has.</summary>
    public bool? LeftOut { get; init; }

    /// <summary>The weight of the supervised loss on the row; null means none.</summary>
    public double? ImitationWeight { get; init; }

    /// <summary>A factor on the row's loss of reinforcement learning, 0 in a group without signal, which stays in the denominators; null means 1.</summary>
    public double? LossWeight { get; init; }

    /// <summary>A factor on that loss for each of the completion's ids; null means 1 for all.</summary>
    public IReadOnlyList<float>? TokenWeights { get; init; }

    /// <summary>Log-probs of the completion's ids when they were sampled; null for demonstrations, unless rl_plus scored them.</summary>
    public IReadOnlyList<float>? OldLogprobs { get; init; }

    /// <summary>Log-probs of a replayed success under the policy that sampled it; null for other rows.</summary>
    public IReadOnlyList<float>? BehaviorLogprobs { get; init; }

    /// <summary>The advantage of the ids that were given, where it is not that of the row; null where it is.</summary>
    public double? PrefixAdvantage { get; init; }
}
