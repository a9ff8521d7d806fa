using System.Text.RegularExpressions;

namespace Luffy.Engine.Rewards.Math;

/// <summary>Compares two answers by what they say. Never throws; what is beyond a bound or cannot be read is not equal, with the reason.</summary>
internal static partial class SymbolicVerifier
{
    /// <summary>Compares a gold answer and another, both without their boxes.</summary>
    public static AnswerGrade Compare(string gold, string answer) => Compare(gold, answer, new VerificationBudget());

    /// <summary>The same with a given number of steps.</summary>
    public static AnswerGrade Compare(string gold, string answer, VerificationBudget budget)
    {
        (gold, answer) = (Trimmed(gold), Trimmed(answer));
        try
        {
            // 1,234 is a number where it can be, and two numbers where only that makes the answers agree.
            bool open = MayBeList(gold) || MayBeList(answer);
            return new(AreSame(gold, answer, false, budget) || (open && AreSame(gold, answer, true, budget)) || AreSameWithDecimalComma(gold, answer, budget));
        }
        catch (UnreadableAnswerException unreadable)
        {
            return new(false, unreadable.Message);
        }
        catch (VerificationLimitException limit)
        {
            return new(false, limit.Message);
        }
    }

    private static bool AreSameWithDecimalComma(string gold, string answer, VerificationBudget budget) =>
        (DecimalComma().IsMatch(answer) && AreSame(gold, answer.Replace(',', '.'), false, budget))
        || (DecimalComma().IsMatch(gold) && DecimalPoint().IsMatch(answer) && AreSame(gold.Replace(',', '.'), answer, false, budget));

    private static bool AreSame(string gold, string answer, bool commasSeparate, VerificationBudget budget)
    {
        var wanted = Parse(gold, commasSeparate);
        var found = Parse(answer, commasSeparate);
        budget.Spend(100);
        if (HasMatrices(gold) || HasMatrices(answer))
        {
            var algebra = new MatrixAlgebra(budget);
            (wanted, found) = (algebra.Evaluate(wanted), algebra.Evaluate(found));
        }

        return new AnswerComparison(budget).AreEqual(wanted, found);
    }

    private static bool HasMatrices(string text) => text.Contains("\\begin", StringComparison.Ordinal);

    // Of a chain of equations whose beginning is not understood, the end is what counts.
    private static Expression Parse(string text, bool commasSeparate)
    {
        try
        {
            return ExpressionParser.Parse(text, commasSeparate);
        }
        catch (UnreadableAnswerException) when (text.AsSpan().Count('=') > 1 && !text.AsSpan().ContainsAny(",;"))
        {
            return ExpressionParser.Parse(text.AsSpan(text.LastIndexOf('=') + 1), commasSeparate);
        }
    }

    // Markdown's bold, and punctuation behind the answer.
    private static string Trimmed(string answer) => answer.Trim().Trim('*').Replace("...", "…", StringComparison.Ordinal).TrimEnd('.', ',', ';', ':', ' ', '\n');

    private static bool MayBeList(string text) => GroupedThousands().IsMatch(text);

    // No number of a list begins with a zero: 1,000 is not 1 and 0.
    [GeneratedRegex("[0-9],[1-9][0-9]{2}")]
    private static partial Regex GroupedThousands();

    // 2,74 where the decimal point is a comma; 1,234 is more than a thousand.
    [GeneratedRegex(@"^\$?[-+]?(?:[0-9]+,(?![0-9]{3}\$?$)|0,)[0-9]+\$?$")]
    private static partial Regex DecimalComma();

    [GeneratedRegex(@"^\$?[-+]?[0-9]*\.[0-9]+\$?$")]
    private static partial Regex DecimalPoint();
}
