using System.Text.RegularExpressions;

namespace Luffy.Engine.Rewards;

/// <summary>Letters of multiple-choice answers: <c>B</c>, <c>(B)</c>, <c>B.</c>, <c>\text{(B)}</c>, <c>B) seven</c>, <c>option B</c>.</summary>
internal static partial class ChoiceLetter
{
    /// <summary>The letter, A to J in upper case, or null where simplified text is no choice.</summary>
    public static char? Read(string simplified, bool lowerCase)
    {
        var match = Pattern().Match(simplified);
        if (!match.Success) return null;
        char letter = (match.Groups[1].Success ? match.Groups[1] : match.Groups[2]).ValueSpan[0];
        return char.IsAsciiLetterUpper(letter) || lowerCase ? char.ToUpperInvariant(letter) : null;
    }

    [GeneratedRegex(@"^(?:(?:the )?(?:correct )?(?:answer|option|choice)(?: is)?:? )?(?:\{? ?\(? ?([A-Ja-j]) ?\)? ?\}?\.?|\(?([A-Ja-j])(?:\)|:|\.) .*)$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Pattern();
}
