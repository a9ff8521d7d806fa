namespace Luffy.Engine.Data;

/// <summary>One message of a conversation: <c>system</c>, <c>user</c> or <c>assistant</c>.</summary>
public sealed record ChatMessage(string Role, string Content);

/// <summary>
/// One prompt with its gold answer and, for off-policy guidance, the stronger model's demonstrations. Text only: ids are made once,
/// at load, and from then on ids are the record.
/// </summary>
public sealed record PromptExample
{
    /// <summary>Unique and stable within a dataset; seeds the sampling of this prompt, so results do not depend on its place in a batch.</summary>
    public required string Id { get; init; }

    /// <summary>Data source or task family, the column of evaluation tables.</summary>
    public required string Source { get; init; }

    /// <summary>The conversation up to the point where the model answers.</summary>
    public required IReadOnlyList<ChatMessage> Messages { get; init; }

    /// <summary>The gold answer that the verifier compares with.</summary>
    public required string Answer { get; init; }

    /// <summary>Further gold answers; a completion is right where it gives any of them.</summary>
    public IReadOnlyList<string> AlternativeAnswers { get; init; } = [];

    /// <summary>Completions by the teacher, as text after the generation prompt and without the end-of-text token. May be empty.</summary>
    public IReadOnlyList<string> Demonstrations { get; init; } = [];

    /// <summary>Further demonstrations that come as ids, end-of-text included: data that was tokenised elsewhere.</summary>
    public IReadOnlyList<int[]> DemonstrationIds { get; init; } = [];

    /// <summary>
    /// ln q of each token as the teacher recorded them, for each of the demonstrations and then of the demonstrations that come as ids; null entries
    /// where it recorded none, and empty where it recorded none at all.
    /// </summary>
    public IReadOnlyList<float[]?> DemonstrationLogProbs { get; init; } = [];

    /// <summary>Demonstrations that a flag of the dataset takes out; they are in none of the lists.</summary>
    public int FlaggedDemonstrations { get; init; }
}
