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
}
