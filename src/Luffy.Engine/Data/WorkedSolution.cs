using System.Text.RegularExpressions;

namespace Luffy.Engine.Data;

/// <summary>Makes a demonstration of a worked solution: text that solves the problem but lacks the form that the reward asks for.</summary>
internal static partial class WorkedSolution
{
    /// <summary>What GSM8K puts before the answer, at the end of a worked solution.</summary>
    public const string Mark = "####";

    /// <summary>The solution as the thought, and the answer in a box after it.</summary>
    public const string Template = "{demonstration}\n</think>\n\n\\boxed{answer}";

    /// <summary>
    /// The template with <c>{demonstration}</c> replaced by the solution (its calculator annotations and its answer line taken off)
    /// and <c>{answer}</c> by the gold answer. In <c>\boxed{answer}</c> the braces stay, so that it becomes a box.
    /// </summary>
    public static string Fill(string template, string solution, string answer, string? answerAfter)
    {
        solution = Annotation().Replace(solution, "");
        int tail = string.IsNullOrEmpty(answerAfter) ? -1 : solution.LastIndexOf(answerAfter, StringComparison.Ordinal);
        if (tail >= 0) solution = solution[..tail];
        // In one pass, so that braces within the solution are never taken for a slot.
        return Slot().Replace(template, match => match.Value switch
        {
            "{demonstration}" => solution.Trim(),
            "\\boxed{answer}" => $"\\boxed{{{answer}}}",
            _ => answer,
        });
    }

    /// <summary>Whether the template has a place for the solution.</summary>
    public static bool HasPlace(string template) => template.Contains("{demonstration}", StringComparison.Ordinal);

    [GeneratedRegex(@"<<[^<>\n]*>>")]
    private static partial Regex Annotation();

    [GeneratedRegex(@"\{demonstration\}|\\boxed\{answer\}|\{answer\}")]
    private static partial Regex Slot();
}
