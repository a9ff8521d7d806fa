namespace Luffy.Engine.Text.Jinja;

/// <summary>The tokens of a template and the place that has been reached in them.</summary>
internal sealed class JinjaTokens(string name, List<Token> tokens)
{
    private int position;

    public Token Current => tokens[position];

    public Token Following => tokens[Math.Min(position + 1, tokens.Count - 1)];

    public Token Next() => Current.Kind == TokenKind.End ? Current : tokens[position++];

    public bool TrySkip(string text)
    {
        if (!Current.Is(text)) return false;
        position++;
        return true;
    }

    public void Skip(string text)
    {
        if (!TrySkip(text)) throw Fail($"found {Current.Shown}, expected '{text}'");
    }

    public void Skip(TokenKind kind, string shown)
    {
        if (Current.Kind != kind) throw Fail($"found {Current.Shown}, expected '{shown}'");
        position++;
    }

    public string NextName(string what)
    {
        var token = Next();
        return token.Kind == TokenKind.Name ? token.Text : throw Fail($"found {token.Shown}, expected the name of {what}");
    }

    public LuffyException Fail(string what) => new($"{name}, line {tokens[Math.Max(0, Math.Min(position, tokens.Count - 1))].Line}: {what}.");
}
