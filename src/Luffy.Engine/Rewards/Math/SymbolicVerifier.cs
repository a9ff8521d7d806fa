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
            return AreSame(gold, answer, false, budget) || (open && AreSame(gold, answer, true, budget)) || (DecimalComma().IsMatch(answer) && AreSame(gold, answer.Replace(',', '.'), false, budget))
                ? new(true) : new(false);
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

    private static bool AreSame(string gold, string answer, bool commasSeparate, VerificationBudget budget)
    {
        var wanted = ExpressionParser.Parse(gold, commasSeparate);
        var found = ExpressionParser.Parse(answer, commasSeparate);
        budget.Spend(100);
        return new AnswerComparison(budget).AreEqual(wanted, found);
    }

    // Markdown's bold, and punctuation behind the answer.
    private static string Trimmed(string answer) => answer.Trim().Trim('*').TrimEnd('.', ',', ';', ':', ' ', '\n');

    private static bool MayBeList(string text) => GroupedThousands().IsMatch(text);

    [GeneratedRegex("[0-9],[0-9]{3}")]
    private static partial Regex GroupedThousands();

    // 2,74 where the decimal point is a comma.
    [GeneratedRegex(@"^\$?[-+]?[0-9]+,[0-9]+\$?$")]
    private static partial Regex DecimalComma();
}
