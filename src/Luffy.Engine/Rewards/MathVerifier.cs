namespace Luffy.Engine.Rewards;

/// <summary>
/// Decides whether a completion's final answer is the gold one: numbers exactly, as rationals; multiple-choice letters; anything else
/// as text without its spacing. Pure, bounded in time whatever the text, and never throws.
/// </summary>
public static class MathVerifier
{
    // The thought before it does not matter and the answer comes last; beyond this a completion is no answer but noise.
    private const int LongestCompletion = 1 << 22;

    /// <summary>Grades an answer that is either a whole completion or the bare answer.</summary>
    /// <param name="gold">A number, LaTeX or a letter; <c>\boxed{}</c> around it and GSM8K's <c>####</c> before it are understood.</param>
    /// <param name="answer">After the first <c>&lt;/think&gt;</c>, where there is one, the last <c>\boxed{}</c> counts, and without any the whole text.</param>
    public static VerifyRecord Verify(string gold, string answer)
    {
        string? wanted = ExtractGold(gold), found = ExtractAnswer(answer);
        return new VerifyRecord(wanted is not null && found is not null && AreEqual(wanted, found), wanted, found);
    }

    /// <summary>The gold answer: what a <c>\boxed{}</c> holds, what follows the last <c>####</c>, or the text itself; null where it is empty.</summary>
    public static string? ExtractGold(string gold)
    {
        if (string.IsNullOrWhiteSpace(gold) || gold.Length > LongestCompletion) return null;
        if (AnswerExtraction.LastBoxed(gold) is { } boxed) return NullIfEmpty(boxed);
        int mark = gold.LastIndexOf("####", StringComparison.Ordinal);
        return NullIfEmpty((mark < 0 ? gold : gold[(mark + 4)..]).Trim());
    }

    private static string? ExtractAnswer(string answer)
    {
        if (string.IsNullOrWhiteSpace(answer) || answer.Length > LongestCompletion) return null;
        string? rest = AnswerExtraction.AfterThought(answer);
        if (rest is null && answer.TrimStart().StartsWith("<think>", StringComparison.Ordinal)) return null;
        rest ??= answer;
        return NullIfEmpty(rest.Contains("\\boxed", StringComparison.Ordinal) ? AnswerExtraction.LastBoxed(rest) ?? "" : rest.Trim());
    }

    /// <summary>Whether two extracted answers are the same: as numbers where both are, as letters where the gold is one, else as text.</summary>
    public static bool AreEqual(string gold, string answer)
    {
        ArgumentNullException.ThrowIfNull(gold);
        ArgumentNullException.ThrowIfNull(answer);
        if (gold.Length > AnswerText.Longest || answer.Length > AnswerText.Longest) return false;
        (gold, answer) = (AnswerText.Simplify(gold), AnswerText.Simplify(answer));
        if (gold.Length == 0 || answer.Length == 0) return false;

        var goldNumber = NumberReader.Read(gold);
        var answerNumber = NumberReader.Read(answer);
        if (goldNumber is { } a && answerNumber is { } b) return SameNumber(a, b);
        if (goldNumber is not null || answerNumber is not null) return false;
        if (gold.Length <= 3 && ChoiceLetter.Read(gold, lowerCase: false) is { } letter) return letter == ChoiceLetter.Read(answer, lowerCase: true);
        return SameText(gold, answer);
    }

    private static bool SameNumber(NumberReader.Reading gold, NumberReader.Reading answer)
    {
        // A unit on one side only is trimmed; two different ones disagree.
        if (gold.Unit.Length > 0 && answer.Unit.Length > 0 && gold.Unit != answer.Unit) return false;
        if (gold.Value.Equals(answer.Value)) return true;
        if (gold.Percent == answer.Percent) return false;
        // One side writes 50%, the other 0.5.
        return (gold.Percent ? Hundredth(gold.Value) : gold.Value).Equals(answer.Percent ? Hundredth(answer.Value) : answer.Value);
    }

    private static Rational Hundredth(Rational value) => new(value.Numerator, value.Denominator * 100);

    private static bool SameText(string gold, string answer)
    {
        static string Bare(string text) => string.Concat(text.Where(c => c != ' '));
        (gold, answer) = (Bare(gold), Bare(answer));
        // Words may differ in case (Yes, yes); the letters of formulas may not.
        bool words = gold.Length > 1 && gold.All(char.IsLetter);
        return string.Equals(gold, answer, words ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal);
    }

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;
}
