using System.Text;

namespace Luffy.Engine.Rewards.Math;

/// <summary>
/// Cuts an answer in LaTeX, Unicode or plain text into tokens, in one pass. Layout goes, and each thing has one spelling afterwards.
/// </summary>
internal ref partial struct LatexTokenizer
{
    private const int MostTokens = 1500, MostDigits = 1000;

    private readonly ReadOnlySpan<char> text;
    private readonly List<Token> tokens = [];
    private readonly bool commasSeparate;
    private int position, enclosed;
    private bool space;

    private LatexTokenizer(ReadOnlySpan<char> text, bool commasSeparate)
    {
        this.text = text;
        this.commasSeparate = commasSeparate || ThousandsSeparators.SomeCommaSeparates(text);
    }

    /// <summary>The tokens, with <see cref="TokenKind.End"/> at the end.</summary>
    /// <param name="text">An answer without its box.</param>
    /// <param name="commasSeparate">Whether 1,234 is two numbers, where that is open.</param>
    /// <exception cref="VerificationLimitException">There are too many, or a number is too long.</exception>
    public static List<Token> Tokenize(ReadOnlySpan<char> text, bool commasSeparate)
    {
        var tokenizer = new LatexTokenizer(text, commasSeparate);
        tokenizer.Run();
        return tokenizer.tokens;
    }

    private readonly char Current => position < text.Length ? text[position] : '\0';

    private readonly char At(int at) => at >= 0 && at < text.Length ? text[at] : '\0';

    private void Add(TokenKind kind, string value)
    {
        if (tokens.Count >= MostTokens) throw new VerificationLimitException($"an answer has more than {MostTokens} parts");
        tokens.Add(new Token(kind, value, space));
        space = false;
    }

    private void AddSymbol(char symbol)
    {
        if (symbol is '(' or '[' or '⦃' or '⟨') enclosed++;
        if (symbol is ')' or ']' or '⦄' or '⟩' && enclosed > 0) enclosed--;
        Add(TokenKind.Symbol, symbol.ToString());
    }

    private void Run()
    {
        while (position < text.Length) Step();
        Add(TokenKind.End, "");
    }

    private void Step()
    {
        char c = Current;
        if (char.IsWhiteSpace(c) || c is '~' or '\u200B' or '\uFEFF')
        {
            space = true;
            position++;
        }
        else if (char.IsAsciiDigit(c) || (c == '.' && char.IsAsciiDigit(At(position + 1)))) ReadNumber();
        else if (char.IsAsciiLetter(c)) ReadLetters();
        else if (c == '\\') ReadCommand();
        else ReadCharacter(c);
    }

    private void ReadCharacter(char c)
    {
        position++;
        if (LatexVocabulary.IsCurrency(c) || c is '\u200C' or '\u200D' or '"' or '`')
        {
            space = true;
            return;
        }

        if (LatexVocabulary.Characters.TryGetValue(c, out char other)) c = other;
        if (LatexVocabulary.Superscripts.ContainsKey(c)) ReadScript(c, '^', LatexVocabulary.Superscripts);
        else if (LatexVocabulary.Subscripts.ContainsKey(c)) ReadScript(c, '_', LatexVocabulary.Subscripts);
        else if (LatexVocabulary.Fractions.TryGetValue(c, out var fraction)) AddFraction(fraction.Top, fraction.Bottom);
        else if (LatexVocabulary.Greek.TryGetValue(c.ToString(), out string? greek)) Add(TokenKind.Letter, greek);
        else if (c == '√') Add(TokenKind.Command, "sqrt");
        else if (c is '∑' or '∏') Add(TokenKind.Command, c == '∑' ? "sum" : "prod");
        else if (c == '∛') Add(TokenKind.Word, "cbrt");
        else if (c == '^' && DegreeLength() is > 0 and var length)
        {
            position += length;
            AddSymbol('°');
        }
        else AddSymbol(Doubled(c));
    }

    // <=, >=, !=, ==, **, +-: two characters for one symbol.
    private char Doubled(char c)
    {
        char symbol = (c, Current) switch
        {
            ('<', '=') => '≤',
            ('>', '=') => '≥',
            ('!', '=') => '≠',
            ('=', '=') => '=',
            ('*', '*') => '^',
            ('+', '-') => '±',
            ('-', '>') => '→',
            _ => '\0',
        };
        if (symbol == '\0') return c;
        position++;
        return symbol;
    }

    // After ^: the length of \circ or {\circ}, which is a degree sign and no power.
    private readonly int DegreeLength()
    {
        int at = position;
        while (At(at) == ' ') at++;
        bool braces = At(at) == '{';
        if (braces) at++;
        while (At(at) == ' ') at++;
        if (text[int.Min(at, text.Length)..].StartsWith("\\circ", StringComparison.Ordinal)) at += "\\circ".Length;
        else if (At(at) is '°' or '∘' or '˚') at++;
        else return 0;
        if (char.IsAsciiLetter(At(at))) return 0;
        while (braces && At(at) == ' ') at++;
        return !braces ? at - position : At(at) == '}' ? at + 1 - position : 0;
    }

    private void ReadScript(char first, char sign, IReadOnlyDictionary<char, char> plain)
    {
        AddSymbol(sign);
        AddSymbol('{');
        var content = new StringBuilder();
        content.Append(plain[first]);
        while (plain.TryGetValue(Current, out char next))
        {
            content.Append(next);
            position++;
        }

        foreach (var token in Tokenize(content.ToString(), true))
            if (token.Kind != TokenKind.End) Add(token.Kind, token.Text);
        AddSymbol('}');
    }

    private void AddFraction(string top, string bottom)
    {
        Add(TokenKind.Command, "frac");
        Add(TokenKind.Number, top);
        Add(TokenKind.Number, bottom);
    }

    private void ReadLetters()
    {
        int start = position;
        while (char.IsAsciiLetter(Current)) position++;
        var run = text[start..position];
        // numpy's and Python's functions: np.arcsin.
        if (run is "np" or "math" && Current == '.' && char.IsAsciiLetter(At(position + 1))) position++;
        else AddLetters(run.ToString());
    }

    private void AddLetters(string run)
    {
        if (LatexVocabulary.Greek.TryGetValue(run, out string? greek) && run.Length > 1) Add(TokenKind.Letter, greek);
        else if (run is "infinity" or "Infinity" or "inf" or "oo") AddSymbol('∞');
        else if (run is "U" && space && At(position) == ' ') AddSymbol('∪');
        else if (run.Length == 1) Add(TokenKind.Letter, run);
        else Add(TokenKind.Word, run);
    }

    private void ReadCommand()
    {
        position++;
        if (!char.IsAsciiLetter(Current))
        {
            char c = Current;
            position++;
            // \\frac: a backslash that somebody escaped; in a matrix it ends a row.
            if (c == '\\' && char.IsAsciiLetter(Current) && !text.Contains("\\begin", StringComparison.Ordinal)) position--;
            else if (c == '\\') AddSymbol('\n');
            else if (c is '{') AddSymbol('⦃');
            else if (c is '}') AddSymbol('⦄');
            else if (c is '%' or '&' or '|') AddSymbol(c == '|' ? '‖' : c);
            else if (c is '_' or '#') AddSymbol(c);
            else space = true;
            return;
        }

        int start = position;
        while (char.IsAsciiLetter(Current)) position++;
        ReadCommand(text[start..position].ToString());
    }

    private void ReadCommand(string name)
    {
        if (LatexVocabulary.Ignored.Contains(name))
        {
            // \left. is a delimiter that is not there.
            if (name is "left" or "right" && Current == '.') position++;
            if (name is "quad" or "qquad" or "space" or "enspace" or "thinspace") space = true;
        }
        else if (LatexVocabulary.TextCommands.Contains(name)) AddText(ReadGroup(), name);
        else if (name == "operatorname") AddLetters(ReadGroup().Trim('*', ' '));
        else if (name == "mathbb") AddSymbol(ReadGroup() switch { "R" => 'ℝ', "Z" => 'ℤ', "N" => 'ℕ', "Q" => 'ℚ', "C" => 'ℂ', _ => '¤' });
        else if (name is "hspace" or "vspace" or "phantom" or "tag" or "label" or "kern" or "color") ReadGroup();
        else if (LatexVocabulary.Symbols.TryGetValue(name, out char symbol)) AddSymbol(symbol);
        else if (LatexVocabulary.Greek.TryGetValue(name, out string? greek)) Add(TokenKind.Letter, greek);
        else if (name is "dfrac" or "tfrac" or "cfrac") Add(TokenKind.Command, "frac");
        else if (name is "dbinom" or "tbinom") Add(TokenKind.Command, "binom");
        else if (name is "sqrt" or "frac" or "binom" or "begin" or "end" or "choose" or "over" or "pmod" or "bmod" or "mod" || LatexVocabulary.Accents.Contains(name)) Add(TokenKind.Command, name);
        else if (name.StartsWith("quad", StringComparison.Ordinal))
        {
            // \quadx_2: a space that ran into the letter behind it.
            space = true;
            position -= name.Length - "quad".Length;
        }
        else if (name == "top") Add(TokenKind.Letter, "T");
        else if (name is "infin") AddSymbol('∞');
        else if (LatexVocabulary.Functions.ContainsKey(name)) Add(TokenKind.Word, name);
        else Add(TokenKind.Command, name);
    }

    private void AddText(string content, string command)
    {
        bool spaced = space || content.StartsWith(' ');
        content = content.Replace("~", " ", StringComparison.Ordinal).Trim();
        space = spaced;
        // \mathrm{e}, \text{13}, \text{10 apples}: what is neither words nor a unit is as if it stood there by itself.
        if (content.Length == 1 && command == "mathrm" && char.IsAsciiLetter(content[0])) Add(TokenKind.Letter, content);
        else if (content.Length is > 0 and <= 40 && (!content.AsSpan().ContainsAny(LettersOfWords) || IsNumberWithWords(content)))
        {
            foreach (var token in Tokenize(content, commasSeparate))
                if (token.Kind != TokenKind.End) Add(token.Kind, token.Text);
        }
        else if (LatexVocabulary.Functions.ContainsKey(content) && text[position..].TrimStart() is ['(', ..] or ['\\', 'l', 'e', 'f', 't', '(', ..]) Add(TokenKind.Word, content);
        else if (content.Length > 0) Add(TokenKind.Text, content);
        space = true;
    }

    // \text{10 apples}
    private static bool IsNumberWithWords(string content) => char.IsAsciiDigit(content[0]) && !content.AsSpan().ContainsAny(SignsOfFormulas);

    private static readonly System.Buffers.SearchValues<char> SignsOfFormulas = System.Buffers.SearchValues.Create("\\{}$^_");

    private static readonly System.Buffers.SearchValues<char> LettersOfWords =
        System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ°$\\{}");

    // The raw text of {…}, its braces balanced; of an unbraced argument, one character.
    private string ReadGroup()
    {
        while (Current == ' ') position++;
        if (Current == '*') position++;
        if (Current != '{') return position < text.Length ? text[position++].ToString() : "";
        int start = ++position;
        for (int depth = 1; position < text.Length; position++)
        {
            if (Current == '{') depth++;
            else if (Current == '}' && --depth == 0) return text[start..position++].ToString();
        }

        return text[start..].ToString();
    }
}
