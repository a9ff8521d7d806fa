namespace Luffy.Engine.Text;

/// <summary>A token that is matched in the text as a whole, before any merging, with the flags of tokenizer.json.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text.</param>
/// <param name="Special">Left out by decoding with <c>skipSpecialTokens</c>.</param>
/// <param name="Normalized">Looked for in the normalised text rather than in the raw text.</param>
/// <param name="StripLeft">Swallows white space before it (<c>lstrip</c>).</param>
/// <param name="StripRight">Swallows white space after it (<c>rstrip</c>).</param>
/// <param name="SingleWord">Matches only where no word character touches it.</param>
public sealed record AddedToken(
    int Id, string Content, bool Special, bool Normalized = false, bool StripLeft = false, bool StripRight = false, bool SingleWord = false);
