using System.Diagnostics;
using System.Globalization;
using Luffy.Engine.Rewards;

namespace Luffy.Engine.Tests.Rewards;

/// <summary>Random and hostile answers: nothing throws, and nothing takes a tenth of a second.</summary>
public sealed class VerifierFuzzTests
{
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(100);

    private static readonly string[] Pieces =
    [
        "\\frac{", "}{", "}", "{", "(", ")", "[", "]", "\\{", "\\}", "\\sqrt{", "\\sqrt[3]{", "1", "2", "12", "0.5", "999999", "1e300", "1e-300", "x", "y", "n", "e", "i", "\\pi",
        "+", "-", "*", "/", "^", "^{", "_", "_{", "!", "!!", "\\pm", "\\mp", "=", "<", ">", "\\le", "\\in", "\\cup", "\\cap", "\\setminus", "\\infty", ",", ";", " and ", " or ",
        "\\text{", "cm", " apples", "\\sin ", "\\cos", "\\tan(", "\\ln ", "\\log_", "\\arcsin", "\\lfloor ", "\\rfloor", "|", "\\begin{pmatrix}", "\\end{pmatrix}", "&", "\\\\", "%",
        "^\\circ", "\\binom{", "\\mathbb{R}", "\\emptyset", ":", "1,234", "\\overline{", "\\dot{", "\\left", "\\right", "f(", "'", " ", "½", "√", "²", "≤", "\\boxed{", "</think>", "\\foo",
        "$", "…", "\\sum_{k=1}^{", "\\sum_{i=0}^n ", "\\prod_{k=1}^5", "\\begin{vmatrix}1&2\\\\3&4\\end{vmatrix}", "\\begin{pmatrix}1&x\\\\3&4\\end{pmatrix}", "^T", " \\boxed{2} and \\boxed{", "\uD83D", "\\equiv", "\\pmod", "99999999999999999999", "(x+1)^{30}", "(a+b+c+d)^{20}", "2^{2000}", "1000!", "\\frac12", "10^", "**", "e5", "The answer is ", "\0",
    ];

    // LUFFY_FUZZ=1000000 makes a million of them, which takes minutes.
    [Test]
    public void Random_answers_are_judged_quickly_and_without_an_exception() =>
        Run(int.Parse(Environment.GetEnvironmentVariable("LUFFY_FUZZ") ?? "20000", CultureInfo.InvariantCulture), seed: 7);

    [TestCase("2^{19000}", "2 \\cdot 2^{18999}", true)]
    [TestCase("\\sqrt{2^{6000}}", "2^{3000}", true)]
    [TestCase("2^{10^{10}}", "2^{10^{10}} + 1", false)]
    [TestCase("x^{x^{x^{x^{x}}}}", "x^{x^{x^{x^{x}}}} + 0", true)]
    [TestCase("(a+b+c+d+e+f)^{12}", "(f+e+d+c+b+a)^{12} + 1", false)]
    [TestCase("(x 3^{9000}/2^{6000}+y+1)^{9}", "(1+y+x 3^{9000}/2^{6000})^{9} + 1", false)]
    public void Heavy_answers_are_judged_quickly(string gold, string answer, bool equal)
    {
        Assert.That(MathVerifier.AreEqual(gold, answer), Is.EqualTo(equal));
        Assert.That(Shortest(gold, answer), Is.LessThan(Longest));
    }

    [TestCase("(", ",", ")")]
    [TestCase("\\sqrt{2+", "x", "}")]
    [TestCase("\\pm", "x", "")]
    [TestCase("(\\pm1,\\pm2),", "(1,2)", "")]
    [TestCase("\\frac{1}{1+", "x", "}")]
    [TestCase("\\sin ", "x", "")]
    [TestCase("-", "1", "")]
    [TestCase("|", "x", "|")]
    [TestCase("1,234,", "1", "")]
    [TestCase("\\sqrt{3}, x^2,", "1", "")]
    [TestCase("(x+1)^{9}", "", "")]
    [TestCase("[1,2]\\cup", "[3,4]", "")]
    [TestCase("a:", "b", "")]
    [TestCase("\\begin{pmatrix}", "1", "\\end{pmatrix}")]
    [TestCase("$ the answer is ", "1", "")]
    [TestCase("\\[", "1", "")]
    [TestCase("\\sum_{k=1}^{9}", "k", "")]
    [TestCase("\\sum_{k=1}^{n}", "k", "")]
    [TestCase("\\prod_{k=1}^5{ 1000!}", "1", "")]
    [TestCase("\\begin{pmatrix}1&x\\\\y&1\\end{pmatrix}", "1", "")]
    [TestCase("\\boxed{1}, ", "1", "")]
    [TestCase("\\boxed{1} and then ", "\\boxed{2}", "")]
    public void Repetition_is_judged_quickly(string before, string middle, string after)
    {
        foreach (int times in (int[])[10, 30, 100, 400, 1000])
        {
            string text = string.Concat(Enumerable.Repeat(before, times)) + middle + string.Concat(Enumerable.Repeat(after, times));
            Assert.That(Shortest(text, text + "+0"), Is.LessThan(Longest), text[..int.Min(20, text.Length)]);
        }
    }

    private static void Run(int count, int seed)
    {
        var random = new Random(seed);
        int equal = 0;
        for (int i = 0; i < count; i++)
        {
            string gold = Text(random), answer = random.Next(3) switch { 0 => gold + "+0", 1 => gold, _ => Text(random) };
            var watch = Stopwatch.StartNew();
            if (MathVerifier.Verify(gold, answer).Correct) equal++;
            // A machine may be busy with something else: only what is slow again and again is slow.
            if (watch.Elapsed > Longest) Assert.That(Shortest(gold, answer), Is.LessThan(Longest), $"{gold}\n{answer}");
        }

        Assert.That(equal, Is.GreaterThan(count / 20), "hardly any answer was read");
    }

    private static string Text(Random random)
    {
        int parts = random.Next(1, random.Next(4) == 0 ? 60 : 14);
        string text = string.Concat(Enumerable.Range(0, parts).Select(_ => Pieces[random.Next(Pieces.Length)]));
        return random.Next(10) == 0 ? string.Concat(Enumerable.Repeat(text, random.Next(1, 20))) : text;
    }

    private static TimeSpan Shortest(string gold, string answer)
    {
        var shortest = TimeSpan.MaxValue;
        for (int i = 0; i < 40 && shortest >= Longest; i++)
        {
            // Of the processor and not of the clock, which goes on while others run.
            var before = Environment.CpuUsage.TotalTime;
            MathVerifier.Verify(gold, answer);
            var spent = Environment.CpuUsage.TotalTime - before;
            if (spent < shortest) shortest = spent;
        }

        return shortest;
    }
}
