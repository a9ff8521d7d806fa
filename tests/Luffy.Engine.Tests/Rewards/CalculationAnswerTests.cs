using Luffy.Engine.Rewards;

namespace Luffy.Engine.Tests.Rewards;

/// <summary>Answers that leave something to work out: sums and products with limits, matrices, digits that go on.</summary>
public sealed class CalculationAnswerTests
{
    [TestCase("30", @"\sum_{k=1}^{4} k^2")]
    [TestCase("30", @"\sum_{k=1}^{4} k^3", false)]
    [TestCase("31", @"\sum\limits_{i=1}^{4} i^2 + 1")]
    [TestCase("24", @"\prod_{j=1}^4 j")]
    [TestCase("x_1+x_2+x_3", @"\sum_{k=1}^3 x_k")]
    [TestCase(@"\frac{n(n+1)}{2}", @"\sum_{i=1}^{n} i")]
    [TestCase(@"\frac{n(n+1)}{2}", @"\sum_{i=1}^{n-1} i", false)]
    [TestCase(@"\frac{n(n+1)}{2}", @"\sum_{i=0}^{n} (i+1)", false)]
    [TestCase("n!", @"\prod_{k=1}^n k")]
    [TestCase("2^n", @"\sum_{k=0}^n \binom{n}{k}")]
    [TestCase(@"\frac{n(n+1)}{2}", @"\sum_{i=1}^{n}\sum_{j=1}^{i} 1")]
    [TestCase(@"\sum_{k=1}^n \sin k", @"\sum_{j=1}^n \sin j")]
    [TestCase(@"\sum_{k=1}^n \sin k", @"\sum_{j=1}^n \cos j", false)]
    [TestCase(@"C_n = \sum_{k=0}^{n-1} C_k C_{n-1-k}", @"C_n = \sum_{k=0}^{n-1} C_{n-1-k} C_k")]
    [TestCase(@"C_n = \sum_{k=0}^{n-1} C_k C_{n-1-k}", @"C_n = \sum_{k=0}^{n-2} C_{n-2-k} C_k", false)]
    [TestCase(@"\sum_{k=1}^n a_{k+1}", "n a_{k+1}", false)]
    [TestCase(@"\frac{3}{2}", @"\sum_{k=0}^{\infty} \frac{1}{3^k}")]
    [TestCase("1.6", @"\sum_{k=0}^{\infty} \frac{1}{3^k}", false)]
    [TestCase("e^x", @"\sum_{n=0}^\infty \frac{x^n}{n!}")]
    [TestCase("10000000", @"\sum_{k=1}^{10000000} 1", false)]
    public void Sums_and_products(string gold, string answer, bool equal = true) => Check(gold, answer, equal);

    [TestCase(@"\begin{pmatrix} 3 & 3 \end{pmatrix}", @"\begin{pmatrix} 1 & 2 \end{pmatrix} + \begin{pmatrix} 2 & 1 \end{pmatrix}")]
    [TestCase(@"\begin{pmatrix} -1 & 1 \end{pmatrix}", @"\begin{pmatrix} 1 & 2 \end{pmatrix} - \begin{pmatrix} 2 & 1 \end{pmatrix}")]
    [TestCase(@"\begin{pmatrix} 3 & 3 \end{pmatrix}", @"\begin{pmatrix} 1 & 2 \end{pmatrix} + \begin{pmatrix} 2 \\ 1 \end{pmatrix}", false)]
    [TestCase(@"\begin{pmatrix} 2 & 3 \\ 4 & 7 \end{pmatrix}", @"\begin{pmatrix} 1 & 0 \\ 2 & 1 \end{pmatrix}\begin{pmatrix} 2 & 3 \\ 0 & 1 \end{pmatrix}")]
    [TestCase(@"\begin{pmatrix} 2 & 3 \\ 4 & 7 \end{pmatrix}", @"\begin{pmatrix} 2 & 3 \\ 0 & 1 \end{pmatrix}\begin{pmatrix} 1 & 0 \\ 2 & 1 \end{pmatrix}", false)]
    [TestCase(@"\begin{pmatrix} 2 \\ 8 \end{pmatrix}", @"2\begin{pmatrix} 1 & 0 \\ 2 & 1 \end{pmatrix}\begin{pmatrix} 1 \\ 2 \end{pmatrix}")]
    [TestCase(@"\begin{pmatrix} 1/2 \\ 2/3 \end{pmatrix}", @"\begin{bmatrix} 3 \\ 4 \end{bmatrix}/6")]
    [TestCase(@"\begin{pmatrix} 1 & 2a \\ 0 & 1 \end{pmatrix}", @"\begin{pmatrix} 1 & a \\ 0 & 1 \end{pmatrix}^2")]
    [TestCase(@"\begin{pmatrix} 1 & 2 \end{pmatrix}", @"\begin{pmatrix} 1 \\ 2 \end{pmatrix}^T")]
    [TestCase(@"\begin{pmatrix} 1 & 2 \end{pmatrix}", @"\begin{pmatrix} 1 \\ 2 \end{pmatrix}^{\top}")]
    [TestCase("-7", @"\begin{vmatrix} 1 & 3 \\ 4 & 5 \end{vmatrix}")]
    [TestCase("17", @"\begin{vmatrix} 1 & 3 \\ 4 & 5 \end{vmatrix}", false)]
    [TestCase("ps-qr", @"\det\begin{pmatrix} p & q \\ r & s \end{pmatrix}")]
    [TestCase("1", @"\begin{vmatrix} 2 & 1 & 0 \\ 1 & 1 & 0 \\ 5 & 7 & 1 \end{vmatrix}")]
    [TestCase("1", @"\begin{vmatrix} 2 & 1 & 0 \\ 1 & 1 & 0 \end{vmatrix}", false)]
    [TestCase(@"\begin{pmatrix} 1 & 0 \\ 0 & 1 \end{pmatrix}", @"1/\begin{pmatrix} 1 & 0 \\ 0 & 1 \end{pmatrix}", false)]
    public void Matrices(string gold, string answer, bool equal = true) => Check(gold, answer, equal);

    [TestCase(@"\frac{2}{3}", "0.666...")]
    [TestCase(@"\frac{2}{3}", @"0.66\ldots")]
    [TestCase(@"\frac{2}{3}", "0.666", false)]
    [TestCase(@"\frac{7}{12}", "0.58333…")]
    [TestCase(@"\frac{5}{37}", @"0.\overline{135}")]
    [TestCase(@"\frac{5}{37}", @"0.135135\dots")]
    [TestCase(@"\frac{5}{37}", "0.135...", false)]
    [TestCase("e", @"2.718281828\ldots")]
    [TestCase(@"\pi", @"3.14\ldots", false)]
    public void Digits_that_go_on(string gold, string answer, bool equal = true) => Check(gold, answer, equal);

    [TestCase("p = 5, q = 2; p = 7, q = 3", "(5, 2), (7, 3)")]
    [TestCase("(5, 2), (7, 3)", "p = 7, q = 3; p = 5, q = 2")]
    [TestCase("p = 5, q = 2; p = 7, q = 3", "(5, 3), (7, 2)", false)]
    [TestCase(@"1 \le |z| \le 2", @"z \in [-2, -1] \cup [1, 2]")]
    [TestCase(@"1 \le |z| \le 2", @"z \in [1, 2]", false)]
    [TestCase("|z| < 3", "-3 < z < 3")]
    [TestCase("|z| < 3", "(-3, 3]", false)]
    [TestCase("0,25", "0.25")]
    [TestCase("1.234", "1,234", false)]
    [TestCase("14916", "14 {, }916")]
    [TestCase("4", @"\foo = 2 + 2 = 4")]
    [TestCase(@"x_1 = 2,\quadx_2 = 3", "2, 3")]
    public void Solutions_and_spellings(string gold, string answer, bool equal = true) => Check(gold, answer, equal);

    private static void Check(string gold, string answer, bool equal) => Assert.That(MathVerifier.AreEqual(gold, answer), Is.EqualTo(equal));
}
