using System.Globalization;
using System.Text;

namespace Luffy.Engine.Text.Jinja;

/// <summary>
/// Cuts a template into tokens with the white-space rules that Hugging Face sets: <c>trim_blocks</c> (the newline after a block tag
/// goes), <c>lstrip_blocks</c> (the indentation before one goes), <c>-</c> and <c>+</c> at a tag's edges, and one newline off the end.
/// </summary>
internal sealed class JinjaLexer(string name, string source)
{
    // Longest first, so that "//" is never read as two divisions.
    private static readonly string[] Operators =
        ["==", "!=", "<=", ">=", "**", "//", "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ":", "|", ",", "(", ")", "[", "]", "{", "}"];

    private readonly string source = Prepare(source);
    private readonly List<Token> tokens = [];
    private int position, counted, line = 1;
    private bool lineStarting = true;

    public List<Token> Read()
    {
        while (position < source.Length)
        {
            int tag = NextTag(position);
            if (tag < 0)
            {
                Emit(TokenKind.Data, source[position..]);
                position = source.Length;
                break;
            }

            char kind = source[tag + 1];
            char edge = tag + 2 < source.Length ? source[tag + 2] : '\0';
            AddText(source[position..tag], edge, isVariable: kind == '{');
            position = tag + 2 + (edge is '-' or '+' ? 1 : 0);
            switch (kind)
            {
                case '#':
                    int close = source.IndexOf("#}", position, StringComparison.Ordinal);
                    if (close < 0) throw Fail("the comment {# is never closed");
                    bool dash = close > position && source[close - 1] == '-', plus = close > position && source[close - 1] == '+';
                    position = close + 2;
                    Trim(dash, plus, isVariable: false);
                    break;
                case '%' when RawFollows(out int rawEnd, out bool stripsRaw):
                    ReadRaw(rawEnd, stripsRaw);
                    break;
                default:
                    ReadTag(isVariable: kind == '{');
                    break;
            }
        }

        Emit(TokenKind.End, "");
        return tokens;
    }

    private static string Prepare(string text)
    {
        text = text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        return text.EndsWith('\n') ? text[..^1] : text;
    }

    private int NextTag(int from)
    {
        for (int i = source.IndexOf('{', from); i >= 0 && i + 1 < source.Length; i = source.IndexOf('{', i + 1))
            if (source[i + 1] is '{' or '%' or '#') return i;
        return -1;
    }

    private void AddText(string text, char edge, bool isVariable)
    {
        if (edge == '-')
        {
            text = text.TrimEnd();
        }
        else if (edge != '+' && !isVariable)
        {
            int start = text.LastIndexOf('\n') + 1;
            if ((start > 0 || lineStarting) && text.AsSpan(start).IsWhiteSpace()) text = text[..start];
        }

        if (text.Length > 0) Emit(TokenKind.Data, text);
    }

    private bool RawFollows(out int end, out bool strips)
    {
        (end, strips) = (position, false);
        int at = SkipSpaces(position);
        if (!source.AsSpan(at).StartsWith("raw", StringComparison.Ordinal)) return false;
        at = SkipSpaces(at + 3);
        strips = at < source.Length && source[at] == '-';
        if (strips) at++;
        if (!source.AsSpan(at).StartsWith("%}", StringComparison.Ordinal)) return false;
        end = at + 2;
        return true;
    }

    private void ReadRaw(int start, bool strips)
    {
        position = start;
        if (strips) Trim(dash: true, plus: false, isVariable: false);
        for (int tag = source.IndexOf("{%", position, StringComparison.Ordinal); tag >= 0; tag = source.IndexOf("{%", tag + 2, StringComparison.Ordinal))
        {
            char edge = tag + 2 < source.Length ? source[tag + 2] : '\0';
            int at = SkipSpaces(tag + 2 + (edge is '-' or '+' ? 1 : 0));
            if (!source.AsSpan(at).StartsWith("endraw", StringComparison.Ordinal)) continue;
            at = SkipSpaces(at + 6);
            bool dash = at < source.Length && source[at] == '-', plus = at < source.Length && source[at] == '+';
            if (dash || plus) at++;
            if (!source.AsSpan(at).StartsWith("%}", StringComparison.Ordinal)) continue;
            lineStarting = false;
            AddText(source[position..tag], edge, isVariable: false);
            position = tag;
            position = at + 2;
            Trim(dash, plus, isVariable: false);
            return;
        }

        throw Fail("{% raw %} is never closed by {% endraw %}");
    }

    private void ReadTag(bool isVariable)
    {
        Emit(isVariable ? TokenKind.VariableBegin : TokenKind.BlockBegin, isVariable ? "{{" : "{%");
        string end = isVariable ? "}}" : "%}";
        int depth = 0;
        while (true)
        {
            position = SkipSpaces(position);
            if (position >= source.Length) throw Fail($"a tag is never closed by {end}");
            char c = source[position];
            var rest = source.AsSpan(position);
            bool edge = c == '-' || (c == '+' && !isVariable);
            if (depth == 0 && (edge ? rest[1..] : rest).StartsWith(end, StringComparison.Ordinal))
            {
                Emit(isVariable ? TokenKind.VariableEnd : TokenKind.BlockEnd, end);
                position = position + (edge ? 3 : 2);
                Trim(c == '-', c == '+', isVariable);
                return;
            }

            if (c is '\'' or '"') ReadString(c);
            else if (char.IsAsciiDigit(c)) ReadNumber();
            else if (char.IsLetter(c) || c == '_') ReadName();
            else ReadOperator(ref depth);
        }
    }

    private void Trim(bool dash, bool plus, bool isVariable)
    {
        int before = position;
        if (dash) position = SkipSpaces(position);
        else if (!plus && !isVariable && position < source.Length && source[position] == '\n') position = position + 1;
        lineStarting = position > before && source[position - 1] == '\n';
    }

    private void ReadName()
    {
        int end = position;
        while (end < source.Length && (char.IsLetterOrDigit(source[end]) || source[end] == '_')) end++;
        Emit(TokenKind.Name, source[position..end]);
        position = end;
    }

    private void ReadNumber()
    {
        int end = position;
        bool isFloat = false;
        while (end < source.Length)
        {
            char c = source[end];
            if (char.IsAsciiDigit(c) || c == '_') end++;
            else if (c == '.' && !isFloat && end + 1 < source.Length && char.IsAsciiDigit(source[end + 1])) (isFloat, end) = (true, end + 1);
            else if (c is 'e' or 'E' && end + 1 < source.Length && (char.IsAsciiDigit(source[end + 1]) || source[end + 1] is '+' or '-')) (isFloat, end) = (true, end + 2);
            else break;
        }

        Emit(isFloat ? TokenKind.Float : TokenKind.Integer, source[position..end].Replace("_", "", StringComparison.Ordinal));
        position = end;
    }

    private void ReadOperator(ref int depth)
    {
        foreach (string symbol in Operators)
        {
            if (!source.AsSpan(position).StartsWith(symbol, StringComparison.Ordinal)) continue;
            if (symbol is "(" or "[" or "{") depth++;
            else if (symbol is ")" or "]" or "}" && --depth < 0) throw Fail($"'{symbol}' closes nothing");
            Emit(TokenKind.Operator, symbol);
            position = position + symbol.Length;
            return;
        }

        throw Fail($"the character '{source[position]}' is not understood");
    }

    private void ReadString(char quote)
    {
        var text = new StringBuilder();
        int at = position + 1;
        for (; at < source.Length && source[at] != quote; at++)
        {
            if (source[at] != '\\' || at + 1 >= source.Length)
            {
                text.Append(source[at]);
                continue;
            }

            char escape = source[++at];
            int digits = escape switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
            if (digits > 0 && at + digits < source.Length
                && int.TryParse(source.AsSpan(at + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int point))
            {
                text.Append(point <= char.MaxValue ? ((char)point).ToString() : Rune.IsValid(point) ? new Rune(point).ToString() : "\uFFFD");
                at += digits;
                continue;
            }

            switch (escape)
            {
                case 'n': text.Append('\n'); break;
                case 't': text.Append('\t'); break;
                case 'r': text.Append('\r'); break;
                case 'b': text.Append('\b'); break;
                case 'f': text.Append('\f'); break;
                case 'v': text.Append('\v'); break;
                case 'a': text.Append('\a'); break;
                case '0': text.Append('\0'); break;
                case '\n': break;
                case '\\' or '\'' or '"': text.Append(escape); break;
                default: text.Append('\\').Append(escape); break;
            }
        }

        if (at >= source.Length) throw Fail("a string is never closed");
        Emit(TokenKind.String, text.ToString());
        position = at + 1;
    }

    private int SkipSpaces(int at)
    {
        while (at < source.Length && char.IsWhiteSpace(source[at])) at++;
        return at;
    }

    private void Emit(TokenKind kind, string text) => tokens.Add(new Token(kind, text, Line()));

    // Tokens come in order, so lines are counted once over the whole source.
    private int Line()
    {
        line += source.AsSpan(counted, position - counted).Count('\n');
        counted = position;
        return line;
    }

    private LuffyException Fail(string what) => new($"{name}, line {Line()}: {what}; expected a Jinja template that can be parsed.");
}
