using System.Text;

namespace Luffy.Engine.Text;

/// <summary>What merging starts from: the ids of a word's smallest parts.</summary>
internal abstract class WordSymbols
{
    /// <summary>Appends the ids of the word's smallest parts.</summary>
    /// <exception cref="LuffyException">The vocabulary has no token for one of them.</exception>
    public abstract void Append(ReadOnlySpan<char> word, List<int> symbols);

    /// <summary>The word as the vocabulary spells it.</summary>
    public abstract string Spell(ReadOnlySpan<char> word);

    protected static string Quote(ReadOnlySpan<char> word) => $"\"{(word.Length > 40 ? $"{word[..40]}…" : word)}\"";
}

/// <summary>The bytes of a word's UTF-8, which byte-level vocabularies spell in <see cref="ByteAlphabet"/>.</summary>
/// <param name="byteIds">[256] the id of each byte's token; −1 where the vocabulary has none.</param>
internal sealed class ByteSymbols(int[] byteIds) : WordSymbols
{
    public override void Append(ReadOnlySpan<char> word, List<int> symbols)
    {
        Span<byte> bytes = word.Length <= 256 ? stackalloc byte[768] : new byte[Encoding.UTF8.GetMaxByteCount(word.Length)];
        foreach (byte value in bytes[..Encoding.UTF8.GetBytes(word, bytes)])
        {
            int id = byteIds[value];
            if (id < 0)
                throw new LuffyException($"The tokenizer has no token for the byte 0x{value:X2} of {Quote(word)}; use a byte-level vocabulary with all 256 bytes, or text without it.");
            symbols.Add(id);
        }
    }

    public override string Spell(ReadOnlySpan<char> word) => ByteAlphabet.Spell(word);
}

/// <summary>
/// The characters (code points) of a word. One that the vocabulary lacks becomes its UTF-8 bytes as tokens like <c>&lt;0xE2&gt;</c> where
/// <paramref name="byteIds"/> has them (<c>byte_fallback</c>), else the unknown token.
/// </summary>
/// <param name="vocabulary">Tokens to ids.</param>
/// <param name="byteIds">[256] the id of each byte's token, −1 where the vocabulary has none; null without byte fallback.</param>
/// <param name="unknown">The id of <c>unk_token</c>, or null.</param>
/// <param name="fuses">One unknown token for a run of unknown characters (<c>fuse_unk</c>).</param>
internal sealed class CharacterSymbols(Dictionary<string, int> vocabulary, int[]? byteIds, int? unknown, bool fuses) : WordSymbols
{
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> ids = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();

    public override void Append(ReadOnlySpan<char> word, List<int> symbols)
    {
        // As Hugging Face has it, a pending unknown token waits for the next character of the vocabulary, past bytes.
        int pending = 0;
        Span<byte> bytes = stackalloc byte[4];
        for (int at = 0, length; at < word.Length; at += length)
        {
            length = char.IsHighSurrogate(word[at]) && at + 1 < word.Length ? 2 : 1;
            var character = word.Slice(at, length);
            if (ids.TryGetValue(character, out int id))
            {
                Flush();
                symbols.Add(id);
            }
            else if (byteIds is not null && HasAll(bytes[..Encoding.UTF8.GetBytes(character, bytes)]))
            {
                foreach (byte value in bytes[..Encoding.UTF8.GetBytes(character, bytes)]) symbols.Add(byteIds[value]);
            }
            else if (unknown is null)
            {
                throw new LuffyException($"The tokenizer has no token for the character \"{character}\" of {Quote(word)}, and no unk_token; use a vocabulary with byte_fallback, or text without it.");
            }
            else
            {
                if (pending > 0 && !fuses) Flush();
                pending = 1;
            }
        }

        Flush();

        void Flush()
        {
            if (pending > 0) symbols.Add(unknown!.Value);
            pending = 0;
        }
    }

    public override string Spell(ReadOnlySpan<char> word) => word.ToString();

    private bool HasAll(ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
            if (byteIds![value] < 0) return false;
        return true;
    }
}
