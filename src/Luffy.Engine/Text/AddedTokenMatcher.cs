using System.Buffers;
using System.Globalization;
using System.Text;

namespace Luffy.Engine.Text;

/// <summary>
/// Cuts text at added tokens: the leftmost match, the longest where several start at one place, and never overlapping ones. The flags
/// <c>lstrip</c>, <c>rstrip</c> and <c>single_word</c> mean what they mean to Hugging Face tokenizers.
/// </summary>
internal sealed class AddedTokenMatcher
{
    private readonly SearchValues<string>? contents;
    private readonly Dictionary<char, AddedToken[]> longestFirst;

    /// <param name="tokens">The tokens to look for.</param>
    /// <param name="textOf">What to look for: the token's content, or its normalised form.</param>
    public AddedTokenMatcher(IReadOnlyCollection<AddedToken> tokens, Func<string, string> textOf)
    {
        var sought = tokens.Select(t => t with { Content = textOf(t.Content) }).Where(t => t.Content.Length > 0).ToList();
        contents = sought.Count == 0 ? null : SearchValues.Create(sought.Select(t => t.Content).ToArray(), StringComparison.Ordinal);
        longestFirst = sought.GroupBy(t => t.Content[0])
            .ToDictionary(g => g.Key, g => g.OrderByDescending(t => t.Content.Length).ToArray());
    }

    /// <summary>A piece of the text: either an added token's id, or (id −1) a stretch of ordinary text, and whether the text begins with it.</summary>
    public readonly record struct Piece(int Id, ReadOnlyMemory<char> Text, bool IsFirst = false);

    /// <summary>Appends the pieces of the text in order.</summary>
    public void Split(ReadOnlyMemory<char> text, List<Piece> pieces)
    {
        if (text.IsEmpty) return;
        if (contents is null)
        {
            pieces.Add(new Piece(-1, text, IsFirst: true));
            return;
        }

        var span = text.Span;
        int search = 0, done = 0;
        while (search < span.Length)
        {
            int found = span[search..].IndexOfAny(contents);
            if (found < 0) break;
            int start = search + found;
            var token = LongestAt(span, start);
            int stop = start + token.Content.Length;
            search = stop;
            if (token.SingleWord && (EndsWithWord(span[..start]) || StartsWithWord(span[stop..]))) continue;
            if (token.StripLeft) start = Math.Max(span[..start].TrimEnd().Length, done);
            if (token.StripRight) stop = span.Length - span[stop..].TrimStart().Length;
            if (done < start) pieces.Add(new Piece(-1, text[done..start], done == 0));
            pieces.Add(new Piece(token.Id, default));
            done = stop;
        }

        if (done < span.Length) pieces.Add(new Piece(-1, text[done..], done == 0));
    }

    private AddedToken LongestAt(ReadOnlySpan<char> text, int start)
    {
        foreach (var token in longestFirst[text[start]])
            if (text[start..].StartsWith(token.Content, StringComparison.Ordinal)) return token;
        throw new InvalidOperationException("The search found a token that its own index does not hold.");
    }

    private static bool StartsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeFromUtf16(text, out var rune, out _) == OperationStatus.Done && IsWord(rune);

    private static bool EndsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeLastFromUtf16(text, out var rune, out _) == OperationStatus.Done && IsWord(rune);

    // Unicode's alphabetic characters, marks, decimal digits and connectors, as \w is in Rust; letters in circles and squares are alphabetic symbols.
    private static bool IsWord(Rune rune) => Rune.IsLetter(rune)
        || rune.Value is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189)
        || Rune.GetUnicodeCategory(rune) is
            UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark or
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation;
}
