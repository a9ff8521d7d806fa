namespace Luffy.Engine.Rewards.Math;

/// <summary>What a token is.</summary>
internal enum TokenKind
{
    /// <summary>Digits with a decimal point, thousands separators gone, and a power of ten as <c>e5</c>.</summary>
    Number,

    /// <summary>One letter or one Greek letter by its name: an unknown or a constant.</summary>
    Letter,

    /// <summary>Several letters that are not a command: <c>sin</c>, <c>cm</c>, <c>or</c>, <c>apples</c>.</summary>
    Word,

    /// <summary>A LaTeX command that has a meaning of its own, without its backslash.</summary>
    Command,

    /// <summary>The content of <c>\text{}</c> and its relatives.</summary>
    Text,

    /// <summary>Anything else: one character that stands for all its spellings.</summary>
    Symbol,

    /// <summary>The end.</summary>
    End,
}

/// <summary>A piece of an answer.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">Its normal spelling.</param>
/// <param name="SpaceBefore">Whether space stands before it.</param>
internal readonly record struct Token(TokenKind Kind, string Text, bool SpaceBefore)
{
    /// <summary>Whether it is this symbol.</summary>
    public bool Is(char symbol) => Kind == TokenKind.Symbol && Text[0] == symbol;

    /// <summary>Whether it is this command.</summary>
    public bool IsCommand(string name) => Kind == TokenKind.Command && Text == name;
}
