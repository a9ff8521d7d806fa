using Luffy.Engine.Data;
using Luffy.Engine.Rewards;

namespace Luffy.Engine.Tests.Rewards;

/// <summary>Where in a completion its answer stands: in one box, in several, announced by prose, or last in it.</summary>
public sealed class AnswerExtractionTests
{
    [TestCase("\\boxed{4} and \\boxed{-7}", "4, -7")]
    [TestCase("\\boxed{4}, \\boxed{5}, and \\boxed{6}.", "4, 5, 6")]
    [TestCase("\\boxed{4}\\boxed{5}", "4, 5")]
    [TestCase("\\[ \\boxed{(0, 1)} \\quad \\text{and} \\quad \\boxed{(2, 3)} \\]", "(0, 1); (2, 3)")]
    [TestCase("\\(\\boxed{4}\\) or \\(\\boxed{5}\\)", "4, 5")]
    [TestCase("$x = \\boxed{4}$ or $\\boxed{5}$", "4, 5")]
    [TestCase("\\boxed{1,000} and \\boxed{2}", "1,000; 2")]
    [TestCase("\\boxed{9}\n\n\\boxed{9}", "9")]
    [TestCase("\\boxed{9} and \\boxed{9}", "9")]
    [TestCase("The sum is \\boxed{4}. The product is \\boxed{5}", "5")]
    [TestCase("\\boxed{4}, which was the sum. And then, after a while, the product \\boxed{5}", "5")]
    [TestCase("First \\boxed{4}.\n\nAnd \\boxed{5} follows", "5")]
    [TestCase("no box")]
    [TestCase("\\boxed{4} and \\boxed{5")]
    public void Boxes_that_are_listed_together_are_one_answer(string text, params string[] readings) =>
        Assert.That(AnswerExtraction.Boxed(text), Is.EqualTo(readings));

    [TestCase("\\boxed{3} cats and \\boxed{8} dogs", "3, 8", "8")]
    [TestCase("The area is \\boxed{3}, so the volume is \\boxed{8}", "3, 8", "8")]
    [TestCase("$y_1 = \\boxed{x+1}$ and $y_2 = \\boxed{x-1}$", "x+1, x-1", "x-1")]
    public void Words_between_boxes_leave_it_open_whether_the_last_is_all(string text, params string[] readings) =>
        Assert.That(AnswerExtraction.Boxed(text), Is.EqualTo(readings));

    [TestCase("3, 8", "\\boxed{3} cats and \\boxed{8} dogs")]
    [TestCase("8", "\\boxed{3} and, since it doubles, \\boxed{8}")]
    [TestCase("3", "\\boxed{3} and, since it doubles, \\boxed{8}", false)]
    [TestCase("8", "\\boxed{3} or \\boxed{8}", false)]
    [TestCase("3", "\\boxed{3} or \\boxed{8}", false)]
    [TestCase("\\boxed{8} and \\boxed{3}", "\\boxed{3, 8}")]
    [TestCase("C", "\\boxed{B} or \\boxed{C}", false)]
    public void All_boxes_of_a_list_count(string gold, string answer, bool correct = true)
    {
        Assert.That(MathVerifier.Verify(gold, answer).Correct, Is.EqualTo(correct));
        var example = new PromptExample { Id = "1", Source = "test", Messages = [], Answer = gold };
        Assert.That(new MathReward().Score(example, "</think>" + answer).Value, Is.EqualTo(correct ? 1 : 0));
    }

    [TestCase("Final Answer: The greatest such $m$ is 41.", "41")]
    [TestCase("Final Answer: Ann waited 3 hours. I hope it is correct.", "3")]
    [TestCase("The final answer to this is $\\frac{2}{7}$. I hope it is correct.", "\\frac{2}{7}")]
    [TestCase("We find that there are 8 of them for every $n$, so 1,208 in all.", "1,208")]
    [TestCase("the price must then be 1,250.75€ for each", "1,250.75")]
    [TestCase("Hence the chance of a win is 3/8 for Bob.", "3/8")]
    [TestCase("So the loss of the second day is 12%.", "12%")]
    [TestCase("The answer is $4$ and $5$.", "4, 5")]
    [TestCase("Solving gives $x = 4$ or $x = 5$.", "x = 4, x = 5")]
    [TestCase("A matrix: $\\begin{pmatrix} 1 & 2 \\end{pmatrix}$", "\\begin{pmatrix} 1 & 2 \\end{pmatrix}")]
    [TestCase("B. the second of the 3 figures", "B. the second of the 3 figures")]
    [TestCase("12 square feet", "12 square feet")]
    [TestCase("x^2 + 3x + 1", "x^2 + 3x + 1")]
    [TestCase("no real number does that", "no real number does that")]
    public void Prose_states_its_answer_last(string text, string answer) => Assert.That(AnswerExtraction.Stated(text), Is.EqualTo(answer));
}
