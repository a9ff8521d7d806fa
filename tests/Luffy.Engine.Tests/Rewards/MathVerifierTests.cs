using System.Diagnostics;
using System.Numerics;
using CsCheck;
using Luffy.Engine.Rewards;

namespace Luffy.Engine.Tests.Rewards;

public sealed class MathVerifierTests
{
    [TestCase("72", "72")]
    [TestCase("72", "72.0")]
    [TestCase("72", "+72")]
    [TestCase("-3", "\u22123")]
    [TestCase("1/2", "0.50")]
    [TestCase("\\frac{1}{2}", "0.5")]
    [TestCase("\\frac12", "\\dfrac{2}{4}")]
    [TestCase("-\\frac{1}{2}", "\\frac{-1}{2}")]
    [TestCase("-1/2", "\\frac{1}{-2}")]
    [TestCase("3/4", "\\left(\\frac{3}{4}\\right)")]
    [TestCase("1.5", "1 1/2")]
    [TestCase("-1.5", "-1\\frac{1}{2}")]
    [TestCase("0.333", "1/3", false)]
    [TestCase("1234567", "1,234,567")]
    [TestCase("1234567", "1{,}234{,}567")]
    [TestCase("1234567", "1\\,234\\,567")]
    [TestCase("1,234.5", "1234.50")]
    [TestCase("12", "1,2", false)]
    [TestCase("1234", "12,34", false)]
    [TestCase("50%", "50")]
    [TestCase("50", "50\\%")]
    [TestCase("50\\%", "0.5")]
    [TestCase("1/2", "50%")]
    [TestCase("50%", "5%", false)]
    [TestCase("72", "$72")]
    [TestCase("72", "\\$72.00")]
    [TestCase("72", "72 dollars")]
    [TestCase("5", "5\\text{ cm}")]
    [TestCase("5", "5 \\mathrm{km/h}")]
    [TestCase("5", "5 cm^2")]
    [TestCase("5 km", "5 kilometers")]
    [TestCase("5 apples", "5 apple")]
    [TestCase("5", "5x", false)]
    [TestCase("5", "5 and 6", false)]
    [TestCase("5", "5 6", false)]
    [TestCase("5", "(5, 6)", false)]
    [TestCase("(5,6)", "(5, 6)")]
    [TestCase("90", "90^\\circ")]
    [TestCase("5", "x = 5")]
    [TestCase("5", "x=y=5", false)]
    [TestCase("5", "5.")]
    [TestCase("100000", "10^5")]
    [TestCase("120000", "1.2\\times 10^{5}")]
    [TestCase("0.00012", "1.2e-4")]
    [TestCase("32", "2^5")]
    [TestCase("1", "10^0")]
    [TestCase("0", "-0.0")]
    [TestCase("5", "5/0", false)]
    [TestCase("123456789012345678901234567890", "123456789012345678901234567891", false)]
    [TestCase("0.1", "0.10000000000000000000000000001", false)]
    [TestCase("B", "B")]
    [TestCase("B", "(B)")]
    [TestCase("(B)", "\\text{B}")]
    [TestCase("B", "B. seven")]
    [TestCase("B", "b")]
    [TestCase("B", "The answer is B.")]
    [TestCase("B", "C", false)]
    [TestCase("B", "A or B", false)]
    [TestCase("B", "Banana", false)]
    [TestCase("x+1", "x + 1")]
    [TestCase("Yes", "yes")]
    [TestCase("x", "X", false)]
    [TestCase("72", "", false)]
    [TestCase("", "72", false)]
    [TestCase("72", "seventy-two", false)]
    public void Answers_are_equal_or_not(string gold, string answer, bool equal = true) =>
        Assert.That(MathVerifier.AreEqual(gold, answer), Is.EqualTo(equal));

    [TestCase("#### 72", "<think>\nso 71\n</think>\n\nIt is \\boxed{72}.", true, "72", "72")]
    [TestCase("72", "</think> \\boxed{1} then \\boxed{72}", true, "72", "72")]
    [TestCase("72", "</think> \\boxed{72} then \\boxed{7", false, "72", null)]
    [TestCase("72", "\\boxed{72}</think> none", false, "72", "none")]
    [TestCase("72", "</think> \\boxed{1}</think> \\boxed{72}", true, "72", "72")]
    [TestCase("\\boxed{\\frac{1}{2}}", "\\boxed{\\frac{1}{2}}", true, "\\frac{1}{2}", "\\frac{1}{2}")]
    [TestCase("72", "72", true, "72", "72")]
    [TestCase("72", "<think>\n72", false, "72", null)]
    [TestCase("72", "</think>\n\n72", true, "72", "72")]
    [TestCase("72", "\\boxed{}", false, "72", null)]
    [TestCase("", "72", false, null, "72")]
    public void A_completion_or_a_bare_answer_is_verified(string gold, string answer, bool correct, string? goldFound, string? answerFound) =>
        Assert.That(MathVerifier.Verify(gold, answer), Is.EqualTo(new VerifyRecord(correct, goldFound, answerFound)));

    [TestCase("\\boxed{a{b}c}", "a{b}c")]
    [TestCase("\\boxed {x}", "x")]
    [TestCase("\\boxed{\\{1,2\\}}", "\\{1,2\\}")]
    [TestCase("\\boxed{\\boxed{5}}", "5")]
    [TestCase("\\boxed 5", null)]
    [TestCase("none", null)]
    public void The_last_box_is_read_with_its_braces(string text, string? expected) =>
        Assert.That(AnswerExtraction.LastBoxed(text), Is.EqualTo(expected));

    [Test]
    public void Any_fraction_equals_itself_however_it_is_written() =>
        Gen.Select(Gen.Int[-100_000, 100_000], Gen.Int[1, 999], Gen.Int[1, 50]).Sample((top, bottom, factor) =>
        {
            string fraction = $"\\frac{{{top * factor}}}{{{bottom * factor}}}";
            BigInteger scaled = BigInteger.Pow(10, 30) * top;
            return MathVerifier.AreEqual($"{top}/{bottom}", fraction)
                && !MathVerifier.AreEqual($"{top}/{bottom}", $"{scaled + bottom}/{BigInteger.Pow(10, 30) * bottom}");
        });

    [Test]
    public void Nothing_throws_whatever_the_text()
    {
        string[] parts = ["\\boxed{", "}", "{", "</think>", "<think>", "\\frac", "12", "-", ".", ",", "%", "^", "10", "e9", "/", " ", "\\text{", "cm", "B", "=", "x", "\\", "$", "\uD83D", "0"];
        Gen.OneOf(Gen.String, Gen.Int[0, parts.Length - 1].Array[0, 25].Select(a => string.Concat(a.Select(i => parts[i])))).Array[2].Sample(texts =>
        {
            MathVerifier.Verify(texts[0], texts[1]);
            return MathVerifier.AreEqual(texts[0], texts[1]) == MathVerifier.AreEqual(texts[0], texts[1]);
        });
    }

    [Test]
    public void Hostile_text_takes_no_time()
    {
        var watch = Stopwatch.StartNew();
        foreach (string hostile in (string[])[
            string.Concat(Enumerable.Repeat("\\boxed{", 200_000)), "\\boxed{" + new string('9', 1_000_000) + "}", "\\boxed{9e999999999}",
            "\\boxed{10^{99999999}}", "\\boxed{" + new string('9', 1900) + "}", "\\boxed{" + new string(' ', 1_000_000) + "}",
            new string('=', 1_000_000), string.Concat(Enumerable.Repeat("</think>", 100_000)), "\\boxed{" + string.Concat(Enumerable.Repeat("\\text{", 300)) + "}"])
            Assert.That(MathVerifier.Verify("1", hostile).Correct, Is.False);
        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(2)));
    }
}
