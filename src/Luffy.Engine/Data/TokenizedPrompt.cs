namespace Luffy.Engine.Data;

/// <summary>A prompt and its demonstrations as ids, made once at load.</summary>
public sealed record TokenizedPrompt
{
    /// <summary>The text that they were made of.</summary>
    public required PromptExample Example { get; init; }

    /// <summary>The rendered conversation up to where the answer begins.</summary>
    public required int[] PromptIds { get; init; }

    /// <summary>Validated demonstrations, each ending in end-of-text.</summary>
    public required IReadOnlyList<int[]> Demonstrations { get; init; }

    /// <summary>ln q of each token of each demonstration as the teacher recorded them, NaN for a token without; null where it recorded none.</summary>
    public IReadOnlyList<float[]?> DemonstrationLogProbs { get; init; } = [];

    /// <summary>The recorded log-probs of a demonstration, or null.</summary>
    public float[]? LogProbsOf(int demonstration) => demonstration < DemonstrationLogProbs.Count ? DemonstrationLogProbs[demonstration] : null;
}
