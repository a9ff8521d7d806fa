namespace Luffy.Engine.Text;

/// <summary>One stage of the cutting that comes before merging: each piece of text becomes pieces of text.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Appends the pieces of one piece.</summary>
    /// <param name="piece">What is cut.</param>
    /// <param name="isFirst">Whether the whole text begins with it.</param>
    /// <param name="output">Receives the pieces.</param>
    public abstract void Split(ReadOnlyMemory<char> piece, bool isFirst, List<ReadOnlyMemory<char>> output);
}

/// <summary>Several stages, each over the pieces of the one before.</summary>
internal sealed class SequencePreTokenizer(IReadOnlyList<PreTokenizer> stages) : PreTokenizer
{
    public override void Split(ReadOnlyMemory<char> piece, bool isFirst, List<ReadOnlyMemory<char>> output)
    {
        List<ReadOnlyMemory<char>> pieces = [piece];
        foreach (var stage in stages)
        {
            var parts = new List<ReadOnlyMemory<char>>(pieces.Count);
            foreach (var part in pieces) stage.Split(part, isFirst, parts);
            pieces = parts;
        }

        output.AddRange(pieces);
    }
}

/// <summary>
/// The <c>ByteLevel</c> stage: a space put before a piece that has none where <paramref name="addPrefixSpace"/>, GPT-2's pattern where
/// <paramref name="pattern"/> is given, and the pieces' bytes as letters where <paramref name="spells"/>. As the last stage it does not
/// spell: the bytes are looked up while merging, and only for words that are not remembered.
/// </summary>
internal sealed class ByteLevelPreTokenizer(RegexPreTokenizer? pattern, bool addPrefixSpace, bool spells) : PreTokenizer
{
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    public override void Split(ReadOnlyMemory<char> piece, bool isFirst, List<ReadOnlyMemory<char>> output)
    {
        if (addPrefixSpace && !piece.IsEmpty && piece.Span[0] != ' ') piece = string.Concat(" ", piece.Span).AsMemory();
        int before = output.Count;
        if (pattern is null) output.Add(piece);
        else pattern.Split(piece, isFirst, output);
        if (!spells) return;
        for (int i = before; i < output.Count; i++) output[i] = ByteAlphabet.Spell(output[i].Span).AsMemory();
    }
}

/// <summary>When the <c>Metaspace</c> stage puts its mark before a piece, in tokenizer.json's words.</summary>
internal enum PrependScheme
{
    Always,
    First,
    Never,
}

/// <summary>The <c>Metaspace</c> stage of Llama 2 and Mistral: spaces become a mark, a piece begins with one, and pieces end before each where <paramref name="splits"/>.</summary>
internal sealed class MetaspacePreTokenizer(char mark, PrependScheme scheme, bool splits) : PreTokenizer
{
    public override void Split(ReadOnlyMemory<char> piece, bool isFirst, List<ReadOnlyMemory<char>> output)
    {
        if (piece.IsEmpty) return;
        string text = piece.ToString().Replace(' ', mark);
        if (text[0] != mark && (scheme == PrependScheme.Always || (scheme == PrependScheme.First && isFirst))) text = mark + text;
        if (!splits)
        {
            output.Add(text.AsMemory());
            return;
        }

        for (int start = 0; start < text.Length;)
        {
            int next = text.IndexOf(mark, start + 1);
            if (next < 0) next = text.Length;
            output.Add(text.AsMemory(start, next - start));
            start = next;
        }
    }
}
