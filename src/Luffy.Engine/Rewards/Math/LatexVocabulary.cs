using System.Collections.Frozen;

namespace Luffy.Engine.Rewards.Math;

/// <summary>What LaTeX commands and other spellings stand for.</summary>
internal static class LatexVocabulary
{
    /// <summary>Commands that say nothing: size, space and style.</summary>
    public static readonly FrozenSet<string> Ignored = Set(
        "left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr displaystyle textstyle scriptstyle scriptscriptstyle "
        + "limits nolimits quad qquad thinspace enspace space mathbf mathit mathcal mathsf mathfrak mathscr boldsymbol bm bf rm it sf cal "
        + "boxed fbox hfill hline nonumber notag displaylines ensuremath mathop mathord mathbin mathrel mathopen mathclose");

    /// <summary>Commands whose argument is words.</summary>
    public static readonly FrozenSet<string> TextCommands = Set("text textbf textit textrm textsf texttt textnormal textup textmd mbox hbox mathrm mathtt");

    /// <summary>Commands that are one symbol.</summary>
    public static readonly FrozenDictionary<string, char> Symbols = new Dictionary<string, char>
    {
        ["cdot"] = '*', ["times"] = '*', ["ast"] = '*', ["star"] = '*', ["div"] = '÷', ["pm"] = '±', ["mp"] = '∓',
        ["le"] = '≤', ["leq"] = '≤', ["leqslant"] = '≤', ["leqq"] = '≤', ["ge"] = '≥', ["geq"] = '≥', ["geqslant"] = '≥', ["geqq"] = '≥', ["lt"] = '<', ["gt"] = '>',
        ["ne"] = '≠', ["neq"] = '≠', ["approx"] = '≈', ["approxeq"] = '≈', ["simeq"] = '≈', ["sim"] = '≈', ["doteq"] = '≈', ["equiv"] = '≡', ["in"] = '∈',
        ["cup"] = '∪', ["bigcup"] = '∪', ["cap"] = '∩', ["bigcap"] = '∩', ["setminus"] = '∖', ["backslash"] = '∖', ["smallsetminus"] = '∖',
        ["infty"] = '∞', ["emptyset"] = '∅', ["varnothing"] = '∅', ["lbrace"] = '⦃', ["rbrace"] = '⦄', ["lbrack"] = '[', ["rbrack"] = ']',
        ["lparen"] = '(', ["rparen"] = ')', ["langle"] = '⟨', ["rangle"] = '⟩', ["vert"] = '|', ["lvert"] = '|', ["rvert"] = '|', ["mid"] = '|',
        ["lfloor"] = '⌊', ["rfloor"] = '⌋', ["lceil"] = '⌈', ["rceil"] = '⌉', ["circ"] = '°', ["degree"] = '°', ["textdegree"] = '°',
        ["prime"] = '′', ["colon"] = ':', ["angle"] = '∠', ["measuredangle"] = '∠', ["triangle"] = '△', ["dots"] = '…', ["ldots"] = '…', ["cdots"] = '…',
        ["land"] = '&', ["wedge"] = '&', ["lor"] = '∨', ["vee"] = '∨', ["percent"] = '%', ["lnot"] = '¬', ["Vert"] = '‖', ["parallel"] = '‖', ["perp"] = '⊥',
        ["to"] = '→', ["rightarrow"] = '→', ["Rightarrow"] = '→', ["implies"] = '→', ["iff"] = '→', ["Leftrightarrow"] = '→', ["mapsto"] = '→',
    }.ToFrozenDictionary();

    /// <summary>Characters that stand for another symbol, or for one of several spellings.</summary>
    public static readonly FrozenDictionary<char, char> Characters = new Dictionary<char, char>
    {
        ['\u2212'] = '-', ['\u2013'] = '-', ['\u2014'] = '-', ['\u2010'] = '-', ['\u2011'] = '-', ['×'] = '*', ['·'] = '*', ['⋅'] = '*', ['∙'] = '*', ['∗'] = '*',
        ['≦'] = '≤', ['⩽'] = '≤', ['≧'] = '≥', ['⩾'] = '≥', ['＝'] = '=', ['（'] = '(', ['）'] = ')', ['，'] = ',', ['；'] = ';', ['：'] = ':', ['％'] = '%',
        ['≃'] = '≈', ['≅'] = '≈', ['∣'] = '|', ['º'] = '°', ['˚'] = '°', ['∘'] = '°', ['\''] = '′', ['’'] = '′', ['∶'] = ':', ['∧'] = '&', ['〈'] = '⟨', ['〉'] = '⟩',
    }.ToFrozenDictionary();

    /// <summary>Superscript digits and signs, by their plain form.</summary>
    public static readonly FrozenDictionary<char, char> Superscripts = new Dictionary<char, char>
    {
        ['⁰'] = '0', ['¹'] = '1', ['²'] = '2', ['³'] = '3', ['⁴'] = '4', ['⁵'] = '5', ['⁶'] = '6', ['⁷'] = '7', ['⁸'] = '8', ['⁹'] = '9', ['⁻'] = '-', ['ⁿ'] = 'n',
    }.ToFrozenDictionary();

    /// <summary>Subscript digits, by their plain form.</summary>
    public static readonly FrozenDictionary<char, char> Subscripts = new Dictionary<char, char>
    {
        ['₀'] = '0', ['₁'] = '1', ['₂'] = '2', ['₃'] = '3', ['₄'] = '4', ['₅'] = '5', ['₆'] = '6', ['₇'] = '7', ['₈'] = '8', ['₉'] = '9',
    }.ToFrozenDictionary();

    /// <summary>Fractions that are one character, as numerator and denominator.</summary>
    public static readonly FrozenDictionary<char, (string Top, string Bottom)> Fractions = new Dictionary<char, (string, string)>
    {
        ['½'] = ("1", "2"), ['⅓'] = ("1", "3"), ['⅔'] = ("2", "3"), ['¼'] = ("1", "4"), ['¾'] = ("3", "4"), ['⅕'] = ("1", "5"), ['⅖'] = ("2", "5"),
        ['⅗'] = ("3", "5"), ['⅘'] = ("4", "5"), ['⅙'] = ("1", "6"), ['⅚'] = ("5", "6"), ['⅛'] = ("1", "8"), ['⅜'] = ("3", "8"), ['⅝'] = ("5", "8"), ['⅞'] = ("7", "8"),
    }.ToFrozenDictionary();

    /// <summary>Greek letters by command and character, to one name each: the shapes that TeX has twice are one letter.</summary>
    public static readonly FrozenDictionary<string, string> Greek = GreekNames();

    /// <summary>Commands and words that are functions, to their normal name.</summary>
    public static readonly FrozenDictionary<string, string> Functions = FunctionSpellings();

    /// <summary>Accents, which become part of an unknown's name.</summary>
    public static readonly FrozenSet<string> Accents = Set(
        "dot ddot dddot hat widehat bar vec tilde widetilde overline overrightarrow underline check breve mathring overparen overset");

    /// <summary>Signs of currency, which say nothing beside a number.</summary>
    public static bool IsCurrency(char c) => c is '$' or '€' or '£' or '¥' or '₹';

    private static FrozenSet<string> Set(string words) => words.Split(' ').ToFrozenSet();

    private static FrozenDictionary<string, string> GreekNames()
    {
        string[] names = ("alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi psi omega").Split(' ');
        const string Lower = "αβγδεζηθικλμνξοπρστυφχψω", Upper = "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ";
        var map = new Dictionary<string, string>
        {
            ["varepsilon"] = "epsilon", ["vartheta"] = "theta", ["varphi"] = "phi", ["varrho"] = "rho", ["varsigma"] = "sigma", ["varpi"] = "pi",
            ["ϕ"] = "phi", ["ϵ"] = "epsilon", ["ϑ"] = "theta", ["ς"] = "sigma", ["ell"] = "ell", ["ℓ"] = "ell", ["hbar"] = "hbar", ["ℏ"] = "hbar", ["nabla"] = "nabla",
            ["partial"] = "partial", ["∂"] = "partial", ["aleph"] = "aleph", ["mho"] = "mho", ["imath"] = "i", ["jmath"] = "j", ["odot"] = "odot", ["oplus"] = "oplus",
        };
        for (int i = 0; i < names.Length; i++)
        {
            string capital = char.ToUpperInvariant(names[i][0]) + names[i][1..];
            (map[names[i]], map[capital], map[Lower[i].ToString()], map[Upper[i].ToString()]) = (names[i], capital, names[i], capital);
        }

        return map.ToFrozenDictionary();
    }

    private static FrozenDictionary<string, string> FunctionSpellings()
    {
        var map = ("sin cos tan cot sec csc sinh cosh tanh coth sech csch arcsin arccos arctan arccot arcsec arccsc arcsinh arccosh arctanh ln log exp "
            + "gcd lcm min max det abs sign floor ceil sqrt cbrt").Split(' ').ToDictionary(name => name, name => name);
        foreach (var (spelling, name) in (ReadOnlySpan<(string, string)>)[
            ("asin", "arcsin"), ("acos", "arccos"), ("atan", "arctan"), ("cosec", "csc"), ("tg", "tan"), ("ctg", "cot"), ("arctg", "arctan"), ("arsinh", "arcsinh"),
            ("arcosh", "arccosh"), ("artanh", "arctanh"), ("asinh", "arcsinh"), ("acosh", "arccosh"), ("atanh", "arctanh"), ("lg", "lg"), ("sgn", "sign"),
            ("ceiling", "ceil"), ("factorial", "factorial"), ("binomial", "binom"), ("Re", "Re"), ("Im", "Im"), ("arg", "arg")])
            map[spelling] = name;
        return map.ToFrozenDictionary();
    }
}
