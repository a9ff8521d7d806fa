namespace Luffy.Engine.Data;

/// <summary>Prompts without end, in an order that depends on nothing but the source and its cursor.</summary>
public interface IPromptSource
{
    /// <summary>Prompts in one epoch.</summary>
    int Count { get; }

    /// <summary>How far the source has been used; setting it goes back, or on, to that place.</summary>
    DatasetCursor Cursor { get; set; }

    /// <summary>The next prompts; where an epoch ends among them, the next one begins.</summary>
    IReadOnlyList<TokenizedPrompt> Next(int count);
}
