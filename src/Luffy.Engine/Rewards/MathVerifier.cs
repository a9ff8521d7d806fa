using System.Text;
using Luffy.Engine.Rewards.Math;

namespace Luffy.Engine.Rewards;

/// <summary>
/// Decides whether a completion's final answer is the gold one: multiple-choice letters, text without its spacing, and everything that
/// mathematics writes in LaTeX by what it says. Pure, bounded in steps whatever the text, and never throws.
/// </summary>
public static class MathVerifier
{
    // The thought before it does not matter and the answer comes last; beyond this a completion is no answer but noise.
    private const int LongestCompletion = 1 << 22;

    /// <summary>Grades an answer that is either a whole completion or the bare answer.</summary>
    /// <param name="gold">A number, LaTeX or a letter; <c>\boxed{}</c> around it and GSM8K's <c>####</c> before it are understood.</param>
    /// <param name="answer">
    /// After the first <c>&lt;/think&gt;</c>, where there is one, the last <c>\boxed{}</c> counts, with those that it is listed with; without
    /// any, what prose announces as its answer or its last formula or number, else the whole text.
    /// </param>
    public static VerifyRecord Verify(string gold, string answer)
    {
        var (wanted, found) = (GoldReadings(gold), AnswerReadings(answer));
        if (wanted.Count == 0 || found.Count == 0) return new VerifyRecord(false, First(wanted), First(found));
        var (grade, goldRead, answerRead) = Compare(wanted, found);
        return new VerifyRecord(grade.Correct, goldRead, answerRead);
    }

    /// <summary>The gold answer: what a <c>\boxed{}</c> holds, what follows the last <c>####</c>, or the text itself; null where it is empty.</summary>
    public static string? ExtractGold(string gold) => First(GoldReadings(gold));

    /// <summary>The ways to read a gold answer, the likeliest first; several where <see cref="AnswerExtraction.Boxed"/> finds several, none where it is empty.</summary>
    internal static IReadOnlyList<string> GoldReadings(string gold)
    {
        if (string.IsNullOrWhiteSpace(gold) || gold.Length > LongestCompletion) return [];
        if (AnswerExtraction.Boxed(gold) is { Count: > 0 } boxed) return WithoutEmpty(boxed);
        int mark = gold.LastIndexOf("####", StringComparison.Ordinal);
        return WithoutEmpty([mark < 0 ? AnswerExtraction.Announced(gold) ?? gold.Trim() : gold[(mark + 4)..].Trim()]);
    }

    private static IReadOnlyList<string> AnswerReadings(string answer)
    {
        if (string.IsNullOrWhiteSpace(answer) || answer.Length > LongestCompletion) return [];
        string? rest = AnswerExtraction.AfterThought(answer);
        if (rest is null && answer.TrimStart().StartsWith("<think>", StringComparison.Ordinal)) return [];
        rest ??= answer;
        return WithoutEmpty(rest.Contains("\\boxed", StringComparison.Ordinal) ? AnswerExtraction.Boxed(rest) : [AnswerExtraction.Stated(rest)]);
    }

    private static string? First(IReadOnlyList<string> readings) => readings.Count > 0 ? readings[0] : null;

    private static IReadOnlyList<string> WithoutEmpty(IReadOnlyList<string> readings) => [.. readings.Where(reading => reading.Length > 0)];

    /// <summary>Whether two extracted answers are the same; see <see cref="Compare(string, string)"/>.</summary>
    public static bool AreEqual(string gold, string answer) => Compare(gold, answer).Correct;

    /// <summary>
    /// Whether two extracted answers are the same: as letters where the gold is one, as text, else by what they say. Where they are not
    /// because one is beyond a bound or cannot be read, the reason is told.
    /// </summary>
    public static AnswerGrade Compare(string gold, string answer)
    {
        ArgumentNullException.ThrowIfNull(gold);
        ArgumentNullException.ThrowIfNull(answer);
        return Compare(gold, answer, new VerificationBudget());
    }

    /// <summary>
    /// Whether a reading of the gold answer and one of the answer are the same, and which; the first of each where none are. All of them
    /// share what one verification may take.
    /// </summary>
    internal static (AnswerGrade Grade, string Gold, string Answer) Compare(IReadOnlyList<string> golds, IReadOnlyList<string> answers)
    {
        var budget = new VerificationBudget();
        AnswerGrade? first = null;
        foreach (string answer in answers)
        {
            foreach (string gold in golds)
            {
                var grade = Compare(gold, answer, budget);
                if (grade.Correct) return (grade, gold, answer);
                first ??= grade;
            }
        }

        return (first!.Value, golds[0], answers[0]);
    }

    private static AnswerGrade Compare(string gold, string answer, VerificationBudget budget)
    {
        if (gold.Length > AnswerText.Longest || answer.Length > AnswerText.Longest) return new(false, $"an answer is longer than {AnswerText.Longest} characters");
        string goldText = AnswerText.Simplify(gold), answerText = AnswerText.Simplify(answer);
        if (goldText.Length == 0 || answerText.Length == 0) return new(false, "an answer is empty");
        if (goldText.Length <= 3 && ChoiceLetter.Read(goldText, lowerCase: false) is { } letter)
            return new(letter == ChoiceLetter.Read(AnswerText.Value(answer), lowerCase: true));
        if (SameText(goldText, answerText)) return new(true);
        return SymbolicVerifier.Compare(gold, answer, budget);
    }

    private static bool SameText(string gold, string answer)
    {
        (gold, answer) = (WithoutSpaces(gold), WithoutSpaces(answer));
        // Words may differ in case (Yes, yes); the letters of formulas may not.
        bool words = gold.Length > 1 && gold.All(char.IsLetter);
        return string.Equals(gold, answer, words ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal);
    }

    // A space between digits keeps two numbers apart.
    private static string WithoutSpaces(string text)
    {
        var bare = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length; i++)
            if (text[i] != ' ' || (bare.Length > 0 && char.IsAsciiDigit(bare[^1]) && i + 1 < text.Length && char.IsAsciiDigit(text[i + 1]))) bare.Append(text[i]);
        return bare.ToString();
    }
}
