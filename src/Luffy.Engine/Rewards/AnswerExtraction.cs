namespace Luffy.Engine.Rewards;

/// <summary>Finds the answer in a completion, in one pass over the text whatever it holds.</summary>
public static class AnswerExtraction
{
    /// <summary>Closes the thought; what counts comes after the first one.</summary>
    public const string ThinkEnd = "</think>";

    private const string Box = "\\boxed";

    /// <summary>The text after the first <c>&lt;/think&gt;</c>, or null where there is none.</summary>
    public static string? AfterThought(string completion)
    {
        ArgumentNullException.ThrowIfNull(completion);
        int end = completion.IndexOf(ThinkEnd, StringComparison.Ordinal);
        return end < 0 ? null : completion[(end + ThinkEnd.Length)..];
    }

    /// <summary>
    /// What the last <c>\boxed{…}</c> holds, braces within it balanced and <c>\{</c> no brace; null where there is none or the last one
    /// is never closed.
    /// </summary>
    public static string? LastBoxed(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int last = text.LastIndexOf(Box, StringComparison.Ordinal);
        if (last < 0) return null;
        int open = last + Box.Length;
        while (open < text.Length && text[open] == ' ') open++;
        if (open >= text.Length || text[open] != '{') return null;
        int depth = 0;
        for (int i = open; i < text.Length; i++)
        {
            switch (text[i])
            {
                case '\\': i++; break;
                case '{': depth++; break;
                case '}' when --depth == 0: return text[(open + 1)..i].Trim();
            }
        }

        return null;
    }
}
