using Luffy.Engine.Text;

namespace Luffy.Engine.Rollout;

/// <summary>The text of a completion, without the end-of-text token that closes it.</summary>
public static class CompletionText
{
    /// <summary>Decodes for grading and reading; ids stay the record.</summary>
    public static string Decode(ITokenizer tokenizer, ReadOnlySpan<int> ids)
    {
        if (ids.Length > 0 && ids[^1] == tokenizer.EndOfTextId) ids = ids[..^1];
        return tokenizer.Decode(ids);
    }
}
