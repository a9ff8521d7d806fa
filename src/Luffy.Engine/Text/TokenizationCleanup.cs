namespace Luffy.Engine.Text;

/// <summary>
/// What transformers does to decoded text where <c>clean_up_tokenization_spaces</c> is set: takes out spaces before punctuation and English
/// contractions. Made for tokenizers that lose the spaces of a text; to one that keeps them it does harm, so nothing here does it unasked.
/// </summary>
public static class TokenizationCleanup
{
    private static readonly (string From, string To)[] Steps =
        [(" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re")];

    /// <summary>The text with the steps done in transformers' order.</summary>
    public static string Apply(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        foreach (var (from, to) in Steps) text = text.Replace(from, to, StringComparison.Ordinal);
        return text;
    }
}
