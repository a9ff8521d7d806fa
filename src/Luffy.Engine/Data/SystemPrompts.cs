namespace Luffy.Engine.Data;

/// <summary>System messages that come along, by the names that <c>system_prompt</c> knows.</summary>
public static class SystemPrompts
{
    /// <summary>
    /// Asks for what LUFFY's system prompt asks for: a systematic thought between tags, then a solution with the answer in a box. For
    /// templates whose generation prompt opens the thought.
    /// </summary>
    public const string Think =
        """
        You solve problems by reasoning carefully before you answer. Every reply has two parts.

        First comes your thinking, written between <think> and </think>. Work through the problem systematically: say what is asked, break it into steps, carry each step out, look at other ways where they help, check intermediate results, and go back to correct yourself when something does not fit.

        After </think> comes the solution: the steps that led to the result, put clearly and in order, ending with the final answer in \boxed{}.
        """;

    /// <summary>The message that a configuration asks for: a known name's, or the text itself; null where there is none.</summary>
    public static string? Resolve(string? configured) => configured == "think" ? Think : string.IsNullOrEmpty(configured) ? null : configured;
}
