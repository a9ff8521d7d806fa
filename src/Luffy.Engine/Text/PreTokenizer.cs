namespace Luffy.Engine.Text;

/// <summary>One stage of the cutting that comes before merging: each piece of text becomes pieces of text.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Appends the pieces of one piece.</summary>
    public abstract void Split(ReadOnlyMemory<char> piece, List<ReadOnlyMemory<char>> output);
}

/// <summary>Several stages, each over the pieces of the one before.</summary>
internal sealed class SequencePreTokenizer(IReadOnlyList<PreTokenizer> stages) : PreTokenizer
{
    public override void Split(ReadOnlyMemory<char> piece, List<ReadOnlyMemory<char>> output)
    {
        List<ReadOnlyMemory<char>> pieces = [piece];
        foreach (var stage in stages)
        {
            var parts = new List<ReadOnlyMemory<char>>(pieces.Count);
            foreach (var part in pieces) stage.Split(part, parts);
            pieces = parts;
        }

        output.AddRange(pieces);
    }
}

/// <summary>
/// The <c>ByteLevel</c> stage: GPT-2's pattern where <paramref name="pattern"/> is given, and a space put before a piece that has none
/// where <paramref name="addPrefixSpace"/>. The bytes themselves become letters later, while merging.
/// </summary>
internal sealed class ByteLevelPreTokenizer(RegexPreTokenizer? pattern, bool addPrefixSpace) : PreTokenizer
{
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    public override void Split(ReadOnlyMemory<char> piece, List<ReadOnlyMemory<char>> output)
    {
        if (addPrefixSpace && !piece.IsEmpty && piece.Span[0] != ' ') piece = string.Concat(" ", piece.Span).AsMemory();
        if (pattern is null) output.Add(piece);
        else pattern.Split(piece, output);
    }
}
