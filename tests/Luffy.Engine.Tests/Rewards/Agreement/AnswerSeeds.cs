namespace Luffy.Engine.Tests.Rewards.Agreement;

/// <summary>Gold answers of every kind, written for these tests in the manner of the benchmarks' own.</summary>
internal static class AnswerSeeds
{
    /// <summary>One gold answer a line.</summary>
    public static IEnumerable<string> All => Text.Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0);

    private const string Text = """
        0
        7
        -41
        007
        365
        1729
        -2048
        90210
        1234567
        0.25
        -1.75
        .0625
        3.14
        12.50
        0.0041
        6.02e23
        1.6e-19
        -3e8
        5.0e-7
        \frac{1}{2}
        -\frac{7}{3}
        \dfrac{22}{7}
        \frac{-5}{12}
        \frac34
        \frac{365}{8}
        \frac{3}{1000}
        \frac9{16}
        45^\circ
        22.5^\circ
        120^{\circ}
        \text{(B)}
        C
        \text{(D)}
        E
        \text{north}
        \text{odd}
        \text{hyperbola}
        1011_2
        144_{7}
        \begin{pmatrix} 1 \\ -2 \\ 3 \end{pmatrix}
        \begin{pmatrix} 0 & 1 \\ -1 & 5 \end{pmatrix}
        \begin{pmatrix} 1/2 \\ 3/4 \end{pmatrix}
        12\text{ cm}
        7.5 \text{ hours}
        36\pi \text{ cm}^3
        \frac{5}{6} \text{ miles}
        (-\infty, -1) \cup (4, \infty)
        [0, 1) \cup (2, 3]
        (1, 2) \cup (5, 9)
        [-3, 8]
        (0, 5]
        [\frac{1}{2}, \infty)
        (-\infty, \sqrt{2}]
        (7, \infty)
        x > 4
        n \ge 12
        t < -2
        k \le 100
        2, -5
        1, 2, 3
        \sqrt{2}, -\sqrt{2}
        \frac{1}{3}, 4, 9
        0, \pi
        12, 17, 2500
        3 \pm \sqrt{7}
        \frac{-1 \pm \sqrt{13}}{2}
        \pm 6
        -2 \pm 3i
        (1, 2)
        (0, -4, 7)
        \left( \frac{1}{2}, \sqrt{3} \right)
        (2, \frac{\pi}{3})
        (1, 2), (3, 4)
        (0, 0), (1, -1), (-1, 1)
        x = 9
        y = 3x - 4
        f(x) = x^2 + 1
        a_n = 2^n - 1
        2x + 3y = 12
        x^2 + y^2 = 25
        3x - y + 2z - 7 = 0
        15\%
        2.5\%
        80%
        2\sqrt{3}
        \sqrt{29}
        \frac{\sqrt{5}}{2}
        5 + 3\sqrt{2}
        \frac{1 + \sqrt{5}}{2}
        \sqrt[3]{2}
        4\pi
        \frac{\pi}{6}
        9\pi - 18
        \pi^2 - 3
        e^2
        \ln 2
        \log_2 10
        2^{100}
        \frac{20!}{10!}
        \binom{12}{5}
        \sqrt{2 + \sqrt{3}}
        \sin 1
        3 + 4i
        -2i + 7
        \frac{1 + i}{\sqrt{2}}
        x + 1
        3x^2 - 2x + 5
        (x - 1)(x + 4)
        \frac{n(n+1)}{2}
        \frac{a}{b + c}
        2^{n} - 1
        \sqrt{x^2 + 1}
        \frac{x^2 + 1}{x - 3}
        k^3 - k
        \frac{1}{s + a}
        e^{-2t} \cos(3t)
        A \sin(\omega t + \phi)
        \frac{1}{2} m v^2
        \ln(x + 1)
        \frac{p}{1 - p}
        \lfloor \frac{n}{2} \rfloor + 1
        \binom{n}{2}
        n!
        |x - 2|
        r^2 \theta
        ab + bc + ca
        4u^3v - w
        12345678901234567890
        -100
        64000
        19.99
        1000.5
        -0.333
        9.81e2
        \frac{100}{7}
        \frac{-1}{3}
        \frac{17}{4}
        \frac{2}{9999}
        \frac{8}{2}
        60^\circ
        (A)
        \text{prime}
        3A_16
        777_8
        \begin{pmatrix} 2 & 0 \\ 0 & 2 \end{pmatrix}
        250\text{ dollars}
        [2, 3) \cup (3, 4]
        (-5, 5]
        [0, 2\pi)
        m \leqslant 0
        \frac{\pi}{4}, \frac{5\pi}{4}
        8, 15, 17
        5 \pm 2\sqrt{6}
        (6, -8)
        (a, b, c)
        (2, 3), (5, 7), (11, 13)
        g(t) = 3t - 1
        x^3 - y = 4
        33\%
        7\sqrt{11} - 4
        \frac{\sqrt{2} + \sqrt{6}}{4}
        12\sqrt[4]{3}
        \frac{3\pi}{8} + 1
        e - 1
        \log_3 7
        8 - 6i
        x^4 - 16
        \frac{x}{x + y}
        3^{n+1} - 2
        \sqrt{a^2 + b^2}
        \frac{v_0^2}{2g}
        \sin(2x) + 1
        \alpha + \beta
        """;
}
