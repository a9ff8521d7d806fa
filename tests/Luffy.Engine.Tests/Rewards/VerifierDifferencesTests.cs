using Luffy.Engine.Rewards;

namespace Luffy.Engine.Tests.Rewards;

/// <summary>
/// Where the verifier judges otherwise than Math-Verify (0.8, default settings), each with the reason. What Math-Verify says is noted beside it, as
/// its code and its tests have it; it is not run here.
/// </summary>
public sealed class VerifierDifferencesTests
{
    // Math-Verify: right, because both round to 0.000000 at six decimals.
    [TestCase("3.61e-10", "2.55e-10", false, TestName = "Small numbers differ although both are zero to six decimals")]
    [TestCase("1e-8", "0", false, TestName = "A small number is not zero")]
    // Math-Verify: right, because 2.9999999 rounds to 3 at six decimals.
    [TestCase("3", "2.9999999", false, TestName = "No rounding of an integer ends in nines")]
    // Math-Verify: right, because units go away on both sides.
    [TestCase("10 \\text{ cm}", "10 \\text{ m}", false, TestName = "Centimetres are not metres")]
    // Math-Verify: wrong, because the degree sign goes away and 90 is not π/2.
    [TestCase("90^\\circ", "\\frac{\\pi}{2}", true, TestName = "An angle may be in radians")]
    // Math-Verify: wrong by default, lest a model repeat the question's inequality; a solved one with numbers at both ends is the interval.
    [TestCase("x \\in [-2,7]", "-2 \\le x \\le 7", true, TestName = "A solved inequality is its interval")]
    // Math-Verify: right, because a set is taken for a tuple in the order of writing.
    [TestCase("(1,3)", "\\{1,3\\}", false, TestName = "A set is no ordered pair")]
    [TestCase("\\{1,3\\}", "(1,3)", false, TestName = "An ordered pair is no set")]
    // Math-Verify: wrong, because a matrix is no tuple.
    [TestCase("\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "(1,2)", true, TestName = "A column may be written as a tuple")]
    // Math-Verify: wrong in strict mode, because the unknowns differ; the argument of a definition is its own.
    [TestCase("f(x) = x^2", "f(t) = t^2", true, TestName = "The argument of a definition may have another name")]
    // Math-Verify: right, because all letters are factors.
    [TestCase("ABC", "CAB", false, TestName = "An order of letters is no product")]
    // Math-Verify: wrong, because \log is taken as one of the two.
    [TestCase("\\log_{10} 2", "\\log 2", true, TestName = "A logarithm without a base may be decadic")]
    [TestCase("\\ln 2", "\\log 2", true, TestName = "A logarithm without a base may be natural")]
    // Math-Verify: right, because \mathrm{e} is read as nothing on both sides.
    [TestCase("1 - \\frac{1}{\\mathrm{e}}", "1 + \\frac{1}{\\mathrm{e}}", false, TestName = "An upright e is Euler's number")]
    // Math-Verify: right, because the last value of a chain counts, whatever is named before.
    [TestCase("5", "x = y = 5", false, TestName = "A chain of two unknowns names two values")]
    public void The_verifier_differs_with_reason(string gold, string answer, bool equal) => Assert.That(MathVerifier.AreEqual(gold, answer), Is.EqualTo(equal));

    // Math-Verify: wrong, because boxes with a comma and fewer than 70 characters between them are one list. The reference that Luffy follows
    // takes the last one, which here is plainly the answer.
    [Test]
    public void A_box_after_other_words_may_be_the_answer_alone() =>
        Assert.That(MathVerifier.Verify("6", "We get \\boxed{3}, so the answer is \\boxed{6}").Correct, Is.True);

    // Math-Verify: right, because "final answer is" goes before a box. Here a box is the answer, whatever is said after it.
    [Test]
    public void A_box_counts_before_anything_announced() =>
        Assert.That(MathVerifier.Verify("41", "\\boxed{40} The final answer is $41$."), Is.EqualTo(new VerifyRecord(false, "41", "40")));

    // Math-Verify: wrong, because a formula between dollar signs has to be on one line.
    [Test]
    public void A_formula_may_have_lines_of_its_own() =>
        Assert.That(MathVerifier.Verify("9", "So this is what we get: $\n 9 \n$").Correct, Is.True);

    // Math-Verify searches the thought as well; the reference scores nothing before </think>.
    [Test]
    public void A_thought_that_never_ends_has_no_answer() =>
        Assert.That(MathVerifier.Verify("5", "<think> so \\boxed{5}"), Is.EqualTo(new VerifyRecord(false, "5", null)));
}
