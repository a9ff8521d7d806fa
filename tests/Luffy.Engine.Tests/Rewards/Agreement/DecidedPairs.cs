namespace Luffy.Engine.Tests.Rewards.Agreement;

/// <summary>
/// Pairs whose labels were decided one by one, by working the answers out: mostly near misses of the kinds that models make. Signs,
/// order, ends of intervals, units, degrees and radians, names, upside-down fractions, identities that are none.
/// </summary>
internal static class DecidedPairs
{
    /// <summary>The pairs of all golds.</summary>
    public static IEnumerable<LabelledPair> All()
    {
        string kind = "";
        foreach (string line in Text.Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0))
        {
            if (line.StartsWith("# ", StringComparison.Ordinal))
            {
                kind = line[2..];
                continue;
            }

            string[] parts = line.Split(" ¦ ");
            foreach (string answer in parts.Skip(1)) yield return new LabelledPair(kind, parts[0], answer[2..], answer[0] == '=', "decided");
        }
    }

    // A gold answer, then = for what says the same and ! for what does not.
    private const string Text = """
        # mixed numbers and products
        1\frac12 ¦ = 3/2 ¦ = 1.5 ¦ ! \frac12 ¦ = \frac{3}{2}
        2\frac{3}{4} ¦ = 11/4 ¦ ! \frac{6}{4} ¦ = 2 + \frac34 ¦ ! 2 \cdot \frac34
        -2\frac{3}{4} ¦ = -2.75 ¦ ! -1.25
        2 \cdot \frac{3}{4} ¦ = 1.5 ¦ ! 2.75
        3x\frac{1}{2} ¦ = \frac{3x}{2}
        # thousands and tuples
        1,000 ¦ = 1000 ¦ = 1{,}000 ¦ ! 1.000 ¦ ! (1,000)
        (1,000) ¦ ! 1000
        (1, 0) ¦ ! 10
        (1,0) ¦ ! (0,1)
        1,234,567 ¦ = 1234567 ¦ ! 1234.567 ¦ ! 1,234,568
        12,345.67 ¦ = 12345.67 ¦ ! 12,345
        (1,200, 3) ¦ = (1,200,3)
        10,20 ¦ = 20,10 ¦ ! 1020
        1\,000\,000 ¦ = 10^6 ¦ ! 10^5
        # units by one
        5 \text{ cm} ¦ = 5 ¦ = 5\mathrm{~cm} ¦ ! 6 \text{ cm} ¦ ! 5 \text{ mm} ¦ ! 50
        5 \text{ cm}^2 ¦ = 5\text{ square centimeters} ¦ ! 5 \text{ cm}^3 ¦ ! 5 \text{ cm}
        60 \text{ mph} ¦ = 60 ¦ ! 60 \text{ kph}
        12 \text{ hours} ¦ = 12\text{ hrs} ¦ ! 12 \text{ minutes}
        3\text{ dozen} ¦ = 3 \text{ dozen}
        # degrees and radians
        30^\circ ¦ = 30 ¦ = \frac{\pi}{6} ¦ ! \frac{\pi}{3} ¦ ! 30 \text{ radians} ¦ = 30 \text{ degrees}
        \frac{\pi}{6} ¦ ! 30 ¦ = 30^\circ ¦ ! 60^\circ
        180^\circ ¦ = \pi ¦ ! 2\pi
        45^\circ ¦ ! 45.5^\circ
        -45^\circ ¦ ! 45^\circ
        # per cent
        50\% ¦ = 50 ¦ = 0.5 ¦ = \frac12 ¦ ! 0.05 ¦ ! 5 ¦ ! 500\%
        0.5 ¦ = 50\% ¦ ! 50 ¦ ! 5\%
        12.5\% ¦ = \frac18 ¦ ! \frac{1}{80} ¦ = 12.5 \text{ percent}
        100\% ¦ = 1 ¦ ! 10
        # names
        x=5 ¦ = 5 ¦ = x = 5 ¦ ! x = -5 ¦ ! y=5 ¦ ! x \ge 5
        5 ¦ = x = 5 ¦ ! x = 6 ¦ ! x > 5
        x = 2, y = 3 ¦ = (2, 3) ¦ ! (3, 2) ¦ = y = 3, x = 2 ¦ ! x = 3, y = 2
        (x,y) = (2,3) ¦ = (2,3) ¦ ! (3,2)
        f(x) = 3x + 1 ¦ = 3x+1 ¦ = f(t) = 3t + 1 ¦ ! f(x) = 3x - 1 ¦ ! f(x) = 3t + 1
        P(A) = \frac{2}{3} ¦ = \frac23
        S_{10} = 55 ¦ = 55 ¦ ! 56
        \angle ABC = 40^\circ ¦ = 40
        AB = 12 ¦ = 12 ¦ ! 21
        # membership, intervals, inequalities
        x \in [-2, 3] ¦ = [-2, 3] ¦ = -2 \le x \le 3 ¦ ! -2 < x < 3 ¦ ! (-2, 3) ¦ ! [-2, 3) ¦ ! [-3, 2] ¦ ! x \ge -2
        [1, 4) ¦ = 1 \le x < 4 ¦ ! 1 < x \le 4 ¦ ! [1, 4] ¦ ! (1, 4) ¦ ! [4, 1)
        (0, \infty) ¦ = x > 0 ¦ ! x \ge 0 ¦ ! [0, \infty) ¦ ! (-\infty, 0) ¦ = 0 < x ¦ = (0, +\infty)
        (-\infty, 5] ¦ = x \leq 5 ¦ ! x < 5 ¦ ! x \geq 5 ¦ = 5 \ge x
        (1, 2) \cup (3, 4) ¦ = (3,4) \cup (1,2) ¦ = 1<x<2 \text{ or } 3<x<4 ¦ ! (1, 2) \cup [3, 4) ¦ ! (1, 4) ¦ ! (1, 2) \cap (3, 4) ¦ ! (1, 2)
        [0, 1] \cup [1, 2] ¦ = [0, 2]
        [0, 1) \cup (1, 2] ¦ ! [0, 2]
        (-\infty, 0) \cup (0, \infty) ¦ = x \neq 0 ¦ = \mathbb{R} \setminus \{0\} ¦ ! \mathbb{R}
        (-\infty, \infty) ¦ = \mathbb{R}
        (-\infty, 1) \cup (1, \infty) ¦ ! x \ne 0
        [2, 5] \cup \{7\} ¦ = \{7\} \cup [2, 5] ¦ ! [2, 7]
        x < -1 \text{ or } x > 1 ¦ = (-\infty,-1)\cup(1,\infty) ¦ ! -1 < x < 1 ¦ ! |x| < 1
        # plus-minus
        \pm 3 ¦ = 3, -3 ¦ = -3 \text{ and } 3 ¦ = \{-3, 3\} ¦ ! 3 ¦ ! -3 ¦ ! \pm 4 ¦ = \mp 3
        x = \pm 3 ¦ = \pm 3 ¦ = x = 3 \text{ or } x = -3 ¦ ! x = 3
        2 \pm \sqrt{5} ¦ = 2 + \sqrt5, 2 - \sqrt5 ¦ ! \sqrt5 \pm 2 ¦ = 2 \mp \sqrt{5} ¦ ! 2 + \sqrt5
        2 \pm i\sqrt{3} ¦ = 2 - i\sqrt3, 2 + i \sqrt3 ¦ ! 2 \pm \sqrt3
        \frac{3 \pm \sqrt{17}}{4} ¦ = \frac{3}{4} \pm \frac{\sqrt{17}}{4} ¦ ! \frac{3}{4} \pm \sqrt{17} ¦ ! \frac{-3 \pm \sqrt{17}}{4}
        # words
        \text{Saturday} ¦ = Saturday ¦ = saturday ¦ ! Sunday ¦ = \textbf{Saturday}
        \text{the circle} ¦ = circle
        \text{circle} ¦ = the circle ¦ = a circle ¦ ! ellipse
        \text{an ellipse} ¦ = ellipse ¦ ! hyperbola
        \text{Yes} ¦ = yes ¦ ! No
        \text{True} ¦ ! False
        \text{red and blue} ¦ ! red
        # currency
        \$5.50 ¦ = 5.5 ¦ = \$5.5 ¦ = 5.50 \text{ dollars} ¦ ! \$5.05 ¦ ! 55
        \$1,250 ¦ = 1250 ¦ ! 1.25
        €20 ¦ = 20
        # times
        3:30 \text{ p.m.} ¦ = 3:30 ¦ = 3:30 \text{ PM} ¦ = 3\!:\!30 \text{ p.m.} ¦ ! 3:30 \text{ a.m.} ¦ ! 3:31 \text{ p.m.} ¦ ! 4:30 \text{ p.m.}
        12:15 ¦ ! 12:50
        # dates
        \text{May 4} ¦ = May 4 ¦ ! May 5 ¦ ! June 4
        \text{March 14, 2015} ¦ = March 14, 2015 ¦ ! March 15, 2014
        # bases
        101_2 ¦ = 101_{2} ¦ = 101 ¦ ! 110_2 ¦ ! 101_3 ¦ ! 5_3
        2B_{16} ¦ = 2B_{16} ¦ ! B2_{16}
        5 ¦ = 101_2 ¦ ! 101_3
        # scientific
        1.2\times10^{3} ¦ = 1200 ¦ = 1.2e3 ¦ = 12 \cdot 10^2 ¦ ! 1.2\times10^{-3} ¦ ! 12\times10^{3} ¦ ! 1.3\times10^{3}
        6.02 \times 10^{23} ¦ = 602 \times 10^{21} ¦ ! 6.02 \times 10^{22}
        5\times 10^{-4} ¦ = 0.0005 ¦ ! 0.005
        # complex
        3+4i ¦ = 4i+3 ¦ ! 4+3i ¦ ! 3-4i ¦ ! 7i ¦ = (2+i)^2 ¦ ! (2-i)^2
        \frac{1}{i} ¦ = -i ¦ ! i
        i^{2027} ¦ = -i
        |3+4i| ¦ = 5
        \sqrt{-4} ¦ = 2i ¦ ! 2
        \frac{2+i}{1-i} ¦ = \frac{1+3i}{2} ¦ ! \frac{1-3i}{2}
        e^{i\pi/3} ¦ = \frac{1}{2} + \frac{\sqrt3}{2}i ¦ ! \frac{\sqrt3}{2} + \frac{1}{2}i
        \cos 60^\circ + i \sin 60^\circ ¦ = \frac{1 + i\sqrt{3}}{2}
        # surds
        \sqrt{3+2\sqrt{2}} ¦ = 1+\sqrt{2} ¦ ! \sqrt2 - 1
        \sqrt{7-4\sqrt{3}} ¦ = 2-\sqrt{3} ¦ ! \sqrt3 - 2
        \sqrt{2}+\sqrt{3} ¦ = \sqrt{5+2\sqrt{6}} ¦ ! \sqrt{5}
        \sqrt[3]{2+\sqrt{5}} ¦ = \frac{1+\sqrt5}{2} ¦ ! \frac{1-\sqrt5}{2}
        \frac{1}{\sqrt{2}} ¦ = \frac{\sqrt2}{2} ¦ ! \sqrt2
        \frac{6}{\sqrt{3}} ¦ = 2\sqrt3
        \frac{1}{\sqrt{5}-2} ¦ = \sqrt5+2 ¦ ! \sqrt5-2
        \sqrt{50} ¦ = 5\sqrt{2} ¦ ! 2\sqrt5
        \sqrt{\frac{3}{4}} ¦ = \frac{\sqrt3}{2}
        \sqrt{12}-\sqrt{3} ¦ = \sqrt3
        \sqrt[4]{9} ¦ = \sqrt3
        2^{3/2} ¦ = 2\sqrt2
        8^{2/3} ¦ = 4
        8^{-2/3} ¦ = \frac14 ¦ ! -4
        \sqrt{6 + \sqrt{6 + \sqrt{6+3}}} ¦ = 3
        # trigonometric values
        \sin 45^\circ ¦ = \frac{\sqrt2}{2}
        \sin 60^\circ ¦ = \frac{\sqrt3}{2} ¦ ! \frac12
        \cos \frac{\pi}{3} ¦ = \frac12 ¦ ! \frac{\sqrt3}{2}
        \tan 15^\circ ¦ = 2-\sqrt3 ¦ ! 2+\sqrt3
        \cos 36^\circ ¦ = \frac{1+\sqrt5}{4} ¦ ! \frac{\sqrt5-1}{4}
        \sin 18^\circ ¦ = \frac{\sqrt5-1}{4}
        \cos 15^\circ ¦ = \frac{\sqrt6+\sqrt2}{4} ¦ ! \frac{\sqrt6-\sqrt2}{4}
        \arctan 1 ¦ = \frac{\pi}{4} ¦ ! \frac{\pi}{2}
        \arcsin \frac12 ¦ = \frac{\pi}{6}
        \arccos(-1) ¦ = \pi
        \sin^{-1}\frac{1}{2} ¦ = \frac{\pi}{6}
        \tan^{-1}(2) ¦ ! \frac{1}{\tan 2}
        \sin^2 x + \cos^2 x ¦ = 1
        \sin 2x ¦ = 2 \sin x \cos x ¦ ! 2\sin x
        \cos 2x ¦ = 1 - 2\sin^2 x ¦ ! 2\sin^2 x - 1
        # logarithms
        \log_2 8 ¦ = 3 ¦ ! 2
        \log_4 8 ¦ = \frac32 ¦ ! \frac23
        \ln 6 ¦ = \ln 2 + \ln 3 ¦ ! \ln 5 ¦ ! \ln 2 \cdot \ln 3
        \ln 8 ¦ = 3 \ln 2
        \ln\frac12 ¦ = -\ln 2
        \log_{10} 1000 ¦ = 3
        \log_3 2 ¦ = \frac{\ln 2}{\ln 3} ¦ = \frac{1}{\log_2 3} ¦ ! \log_2 3
        e^{2\ln 3} ¦ = 9 ¦ ! 6
        \ln(x^2-1) ¦ ! \ln x^2 - 1
        # factorials, binomials
        5! ¦ = 120 ¦ ! 60
        \frac{8!}{6!} ¦ = 56
        \binom{10}{3} ¦ = 120 ¦ = \binom{10}{7} ¦ ! \binom{10}{4} ¦ = \frac{10!}{3! \cdot 7!}
        \binom{n}{2} ¦ = \frac{n(n-1)}{2} ¦ ! \frac{n(n+1)}{2}
        \binom{n+1}{2} ¦ = \frac{n(n+1)}{2}
        7!! ¦ = 105 ¦ ! 5040
        (n+1)! ¦ = (n+1) \cdot n! ¦ ! n! + 1
        \frac{(2n)!}{n!} ¦ ! 2
        # ceiling, floor, absolute value
        \lfloor 3.7 \rfloor ¦ = 3
        \lfloor -3.7 \rfloor ¦ = -4 ¦ ! -3
        \lceil 3.2 \rceil ¦ = 4 ¦ ! 3
        \left\lfloor \frac{n}{2} \right\rfloor ¦ = \lfloor n/2 \rfloor ¦ ! \lceil n/2 \rceil ¦ ! \frac{n}{2}
        |{-5}| ¦ = 5
        |x-1| ¦ = |1-x| ¦ ! x-1 ¦ ! |x+1|
        # matrices
        \begin{pmatrix} \frac12 & 0 \\ 0 & \frac13 \end{pmatrix} ¦ = \begin{bmatrix} 0.5 & 0 \\ 0 & 1/3 \end{bmatrix} ¦ = \frac16\begin{pmatrix} 3 & 0 \\ 0 & 2 \end{pmatrix} ¦ ! \begin{pmatrix} \frac13 & 0 \\ 0 & \frac12 \end{pmatrix}
        \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} ¦ ! \begin{pmatrix} 1 & 2 & 3 & 4 \end{pmatrix} ¦ = \left(\begin{array}{cc} 1 & 2 \\ 3 & 4 \end{array}\right) ¦ ! -\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}
        \begin{pmatrix} -7 \\ 16 \\ 5 \end{pmatrix} ¦ = (-7, 16, 5) ¦ ! (16, -7, 5)
        # sets and lists
        \{1, 2, 2, 3\} ¦ = \{1, 2, 3\} ¦ ! \{1, 2\}
        \{1, 2\} ¦ = \{2, 1\} ¦ ! \{1, 2, 3\} ¦ ! \{1, 3\} ¦ = 1, 2 ¦ = 1 \text{ and } 2
        1 \text{ and } 2 ¦ = 2, 1
        1 \text{ or } 2 ¦ = 1, 2 ¦ ! 1
        1, 1, 2 ¦ = 1, 2
        1,2,3 ¦ = 3, 2, 1 ¦ ! 1, 2 ¦ ! 1, 2, 4 ¦ ! 1,2,3,4
        \emptyset ¦ = \{\} ¦ ! \{0\}
        \{0\} ¦ = 0
        (1,2),(3,4) ¦ = (3,4),(1,2) ¦ ! (1,3),(2,4) ¦ ! (2,1),(4,3) ¦ ! (1,2)
        (1,2,3) ¦ ! (3,2,1) ¦ ! (1,2) ¦ ! (1,2,3,4)
        (\sqrt2, -1) ¦ = (\frac{2}{\sqrt2}, -1) ¦ ! (-1, \sqrt2) ¦ ! (\sqrt2, 1)
        # equations of curves
        y = 2x - 3 ¦ = 2x - y = 3 ¦ = y + 3 = 2x ¦ ! y = -2x + 3 ¦ ! 2x + y = 3
        x^2 + y^2 = 9 ¦ = 9 = x^2 + y^2 ¦ = \frac{x^2}{9} + \frac{y^2}{9} = 1 ¦ ! x^2 - y^2 = 9 ¦ ! x^2 + y^2 = 3
        (x-1)^2 + (y+2)^2 = 4 ¦ = x^2 + y^2 - 2x + 4y + 1 = 0 ¦ ! (x+1)^2 + (y-2)^2 = 4
        \frac{x^2}{4} + \frac{y^2}{9} = 1 ¦ = 9x^2 + 4y^2 = 36 ¦ ! \frac{x^2}{9} + \frac{y^2}{4} = 1
        x + y + z = 1 ¦ = z = 1 - x - y
        3x - 4y + 2 = 0 ¦ = -3x + 4y - 2 = 0 ¦ = 4y - 3x = 2 ¦ ! 3x + 4y + 2 = 0
        # polynomials and fractions in unknowns
        (x+1)^2 ¦ = x^2+2x+1 ¦ ! x^2+1
        (x-2)(x-3) ¦ = x^2-5x+6 ¦ ! x^2+5x+6
        x^3-1 ¦ = (x-1)(x^2+x+1)
        \frac{1}{x} + \frac{1}{y} ¦ = \frac{x+y}{xy} ¦ ! \frac{1}{x+y} ¦ ! \frac{2}{x+y}
        \frac{a^2-b^2}{a-b} ¦ = a+b ¦ ! a-b
        2^{n+1} ¦ = 2 \cdot 2^n ¦ ! 2^n + 1
        4^n ¦ = 2^{2n} ¦ ! 2^{n^2}
        \frac{2^n - 1}{2^n} ¦ = 1 - 2^{-n}
        \sqrt{x^2 y} ¦ ! xy
        x^{-1} ¦ = \frac1x ¦ ! -x
        x^{1/2} ¦ = \sqrt{x}
        \frac{x}{2} ¦ = 0.5x ¦ ! \frac{2}{x}
        3(x+2) ¦ = 3x+6 ¦ ! 3x+2
        -(a-b) ¦ = b-a ¦ ! -a-b
        a(b+c) ¦ ! ab+c
        \frac{n}{n+1} ¦ = 1-\frac{1}{n+1} ¦ ! 1+\frac{1}{n+1}
        # ratios
        3:4 ¦ = 6:8 ¦ = \frac34 ¦ ! 4:3 ¦ ! 3:5
        1:2:3 ¦ = 2:4:6 ¦ ! 3:2:1
        # decimals
        0.125 ¦ = \frac18 ¦ ! 0.12
        0.1 ¦ ! 0.01
        0.333333 ¦ = \frac13
        0.33 ¦ ! \frac13
        -0.5 ¦ ! 0.5
        2.50 ¦ = 2.5
        3.14 ¦ ! \pi
        \frac{22}{7} ¦ ! \pi
        \frac{1}{7} ¦ = 0.142857142857 ¦ ! 0.142
        \sqrt{2} ¦ = 1.41421356 ¦ ! 1.41
        # mixed
        x = y = 2 ¦ ! 2
        x_1 = 3, x_2 = 5 ¦ = 3, 5 ¦ = 5, 3
        a = 1, b = -2 ¦ = (1, -2) ¦ = (a, b) = (1, -2) ¦ ! (a, b) = (-2, 1) ¦ ! (-2, 1)
        (2, 3) ¦ = x = 2 \text{ and } y = 3 ¦ = y = 3, x = 2 ¦ ! x = 3, y = 2
        (2, 3, 5) ¦ = x=2,\ y=3,\ z=5
        x = 1, x = 4 ¦ = (1, 4) ¦ = 4, 1
        \left(\frac{1}{2}, -\frac{3}{4}\right) ¦ = (0.5, -0.75) ¦ ! (0.5, 0.75)
        (3, \frac{\pi}{2}) ¦ = (3, 90^\circ) ¦ ! (3, 180^\circ)
        \text{(A) and (C)} ¦ = (A) and (C)
        D ¦ = \text{(D)} ¦ ! C ¦ = d
        18\sqrt{3} \text{ cm}^2 ¦ = 18\sqrt3 ¦ ! 18\sqrt2 \text{ cm}^2
        \frac{5\pi}{6} \text{ radians} ¦ = \frac{5\pi}{6} ¦ = 150^\circ ¦ ! 30^\circ
        7 \text{ m/s} ¦ = 7 \text{ meters per second} ¦ ! 7 \text{ km/s}
        9.8 \text{ m/s}^2 ¦ = 9.8 ¦ = 9.8\,\mathrm{m/s^2} ¦ ! 9.8\text{ m/s}
        2^{10} ¦ = 1024 ¦ ! 1000 ¦ ! 20
        10^{-3} ¦ = 0.001 ¦ ! -1000
        3^{20} ¦ = 9^{10} ¦ ! 9^{20}
        0.\overline{27} ¦ = \frac{3}{11} ¦ ! 0.27 ¦ ! \frac{27}{100}
        0.2\overline{7} ¦ = \frac{5}{18}
        1.\overline{6} ¦ = \frac53
        0.\overline{9} ¦ = 1
        -\frac{1}{3} ¦ = \frac{-1}{3} ¦ = \frac{1}{-3} ¦ ! \frac{1}{3}
        \frac{-a}{b} ¦ = -\frac{a}{b}
        \frac{a}{b} ¦ ! \frac{b}{a}
        a^2+b^2 ¦ ! (a+b)^2 ¦ = b^2 + a^2
        a^2-b^2 ¦ = (a+b)(a-b)
        x^2y ¦ = yx^2 ¦ ! xy^2
        \sqrt{a^2+b^2} ¦ ! a+b
        \sqrt{ab} ¦ ! a\sqrt{b}
        \ln(ab) ¦ ! \ln a \ln b
        e^{x+y} ¦ = e^x e^y ¦ ! e^x + e^y
        (e^x)^2 ¦ = e^{2x} ¦ ! e^{x^2}
        \frac{e^x+e^{-x}}{2} ¦ = \cosh x
        \frac{e^x-e^{-x}}{2} ¦ = \sinh x ¦ ! \cosh x
        \tan x ¦ = \frac{\sin x}{\cos x} ¦ ! \frac{\cos x}{\sin x}
        \sec^2 x - 1 ¦ = \tan^2 x
        \sin(x+\pi) ¦ = -\sin x ¦ ! \sin x
        \cos(\frac{\pi}{2}-x) ¦ = \sin x
        \arctan\frac{1}{2}+\arctan\frac13 ¦ = \frac{\pi}{4} ¦ ! \frac{\pi}{3}
        \arcsin 1 ¦ = \frac{\pi}{2} ¦ = 90^\circ
        \arccos 0 ¦ = \frac{\pi}{2}
        \arccos\frac{1}{2} ¦ = 60^\circ
        \frac{\ln 8}{\ln 2} ¦ = 3
        \log_a b ¦ = \frac{\ln b}{\ln a} ¦ ! \frac{\ln a}{\ln b}
        \log_2(xy) ¦ = \log_2 x + \log_2 y ¦ ! \log_2 x \cdot \log_2 y
        \lg 100 ¦ = 2
        \sum_{k=1}^{10} k ¦ = 55 ¦ ! 45
        \prod_{k=1}^{4} k ¦ = 24
        \begin{vmatrix} 2 & 0 \\ 0 & 3 \end{vmatrix} ¦ = 6 ¦ ! -6
        \gcd(84, 36) ¦ = 12 ¦ ! 4
        \text{lcm}(4, 6) ¦ = 12
        \operatorname{lcm}(4, 6) ¦ = 12
        \max(3, 7) ¦ = 7
        \min(3, 7) ¦ = 3 ¦ ! 7
        n \ge 3 ¦ = n > 2.5 + 0.5 \text{ or } n = 3 ¦ = [3, \infty) ¦ ! (3, \infty)
        1 < x < 3 ¦ = x \in (1, 3) ¦ = 3 > x > 1 ¦ ! 1 < x \le 3
        0 \le \theta < 2\pi ¦ = [0, 2\pi) ¦ ! [0, 2\pi]
        x \le -1 \text{ or } x \ge 1 ¦ = (-\infty,-1] \cup [1,\infty) ¦ ! [-1, 1] ¦ ! (-\infty,-1) \cup (1,\infty)
        \mathbb{R} ¦ = (-\infty, \infty) ¦ = \text{all real numbers}
        \text{all real numbers} ¦ = \mathbb{R}
        \mathbb{Z} ¦ ! \mathbb{R}
        \text{no solution} ¦ = \emptyset ¦ = \text{No solutions} ¦ ! 0
        \text{none} ¦ = \emptyset
        \text{infinitely many} ¦ = infinitely many ¦ ! 1
        \infty ¦ = \infty ¦ ! -\infty ¦ = +\infty
        -\infty ¦ = -\infty
        (-1, 1) \cap (0, 2) ¦ = (0, 1) ¦ ! (-1, 2)
        \{x \mid x > 2\} ¦ = (2, \infty) ¦ ! [2, \infty)
        \{x : 0 \le x \le 1\} ¦ = [0, 1]
        \{(1,2), (2,1)\} ¦ = (2,1), (1,2) ¦ ! \{(1,2)\}
        \{1, 4, 9\} ¦ ! \{1, 2, 3\}
        \{\sqrt{4}, 3\} ¦ = \{2, 3\}
        \{a, b\} ¦ = \{b, a\}
        2, 3, \text{ and } 5 ¦ = 2, 3, 5 ¦ = 5, 3 and 2 ¦ ! 2, 3
        1 + \sqrt{2}, 1 - \sqrt{2} ¦ = 1 \pm \sqrt2 ¦ ! -1 \pm \sqrt2
        \pm\sqrt{2}, \pm 1 ¦ = 1, -1, \sqrt2, -\sqrt2 ¦ ! 1, \sqrt2
        (\pm 1, 0) ¦ = (1, 0), (-1, 0) ¦ ! (1, 0)
        f(x) = \frac{1}{x} ¦ = \frac1x ¦ ! x
        y = \pm 2x ¦ = y = 2x, y = -2x ¦ ! y = 2x
        A = \pi r^2 ¦ = \pi r^2 ¦ ! 2\pi r
        v = \sqrt{2gh} ¦ = \sqrt{2gh} ¦ = (2gh)^{1/2} ¦ ! 2gh
        \frac{mv^2}{2} ¦ = \frac12 mv^2 ¦ ! mv^2
        \frac{GMm}{r^2} ¦ = G\frac{mM}{r^2} ¦ ! \frac{GMm}{r}
        E_0 e^{-kt} ¦ = E_0\exp(-kt) ¦ ! E_0 e^{kt}
        \frac{1}{2\pi}\sqrt{\frac{k}{m}} ¦ = \frac{\sqrt{k/m}}{2\pi} ¦ ! \frac{1}{2\pi}\sqrt{\frac{m}{k}}
        3.0\times 10^8 \text{ m/s} ¦ = 3\times10^8 ¦ = 3e8 \text{ m/s} ¦ ! 3\times10^{-8}
        1.6\times 10^{-19} ¦ = 1.6e-19 ¦ ! 1.6e-18
        100!/98! ¦ = 9900
        1/2 ¦ = 0.5 ¦ = .5 ¦ ! 2 ¦ ! 1.2
        -1/2 ¦ = -0.5
        \frac12 + \frac13 ¦ = \frac56 ¦ ! \frac25
        \dfrac{3}{6} ¦ = \tfrac12
        \frac{1}{2}\cdot\frac{1}{3} ¦ = \frac16
        \frac{\frac12}{3} ¦ = \frac16
        \frac{1}{\frac23} ¦ = 1.5
        \sqrt{2}\sqrt{3} ¦ = \sqrt6 ¦ ! \sqrt5
        \sqrt2 + \sqrt8 ¦ = 3\sqrt2 ¦ ! \sqrt{10}
        (\sqrt5+1)(\sqrt5-1) ¦ = 4
        \frac{\sqrt{5}+1}{\sqrt{5}-1} ¦ = \frac{3+\sqrt5}{2} ¦ ! \frac{3-\sqrt5}{2}
        \sqrt[3]{16} ¦ = 2\sqrt[3]{2} ¦ ! 4
        \sqrt[3]{-27} ¦ = -3
        \sqrt{11+6\sqrt2} ¦ = 3+\sqrt2
        \sqrt{11-6\sqrt2} ¦ = 3-\sqrt2 ¦ ! 3+\sqrt2
        \pi + 1 ¦ ! 4.14
        2\pi r ¦ = \pi \cdot 2r
        3:2 ¦ = 3/2 ¦ = 1.5 ¦ ! 2/3
        \text{12 apples} ¦ = 12 ¦ ! 13
        12 \text{ apples} ¦ ! 12 \text{ pears}
        x^2 - 4 = 0 ¦ ! x = 2 ¦ = x^2 = 4
        2x = 6 ¦ ! 3
        e^{2\pi i/3} ¦ = -\frac12 + \frac{\sqrt3}{2} i ¦ ! -\frac12 - \frac{\sqrt3}{2} i
        (1+i)^4 ¦ = -4 ¦ ! 4
        i ¦ = i ¦ ! -i ¦ ! 1
        2i, -2i ¦ = \pm 2i ¦ ! \pm 2
        -1 + 2i ¦ = 2i - 1 ¦ ! 1 - 2i ¦ ! -1 + 2
        \overline{AB} ¦ = \overline{AB} ¦ ! \overline{CD}
        \triangle ABC ¦ ! \triangle ABD
        \vec{a} + \vec{b} ¦ = \vec{b} + \vec{a} ¦ ! \vec{a} - \vec{b}
        \frac{dy}{dx} ¦ = \frac{dy}{dx}
        0 ¦ ! \emptyset ¦ = -0 ¦ ! 1
        00 ¦ = 0
        007 ¦ = 7
        7 ¦ ! 07.1 ¦ = 7. ¦ = 7.000 ¦ = $7$ ¦ = \(7\) ¦ = \mathbf{7} ¦ = {7} ¦ = \boxed{7} ¦ ! 77 ¦ ! \frac{7}{1.0001}
        +7 ¦ = 7
        - 7 ¦ = -7
        # letters
        ab^2 ¦ = b^2 a ¦ ! (ab)^2 ¦ ! a^2b
        xyz^2 ¦ ! (xyz)^2
        xy! ¦ ! (xy)!
        """;
}
