using Luffy.Engine.Text;

namespace Luffy.Engine.Rollout;

/// <summary>The text of a completion, without the token that closes it.</summary>
public static class CompletionText
{
    /// <summary>Decodes for grading and reading; ids stay the record.</summary>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="ids">The completion.</param>
    /// <param name="stopIds">What closes a completion (<see cref="StopTokens"/>).</param>
    public static string Decode(ITokenizer tokenizer, ReadOnlySpan<int> ids, IReadOnlyList<int> stopIds)
    {
        if (ids.Length > 0 && stopIds.Contains(ids[^1])) ids = ids[..^1];
        return tokenizer.Decode(ids);
    }
}
