using System.Text;

namespace Luffy.Engine.Text;

/// <summary>
/// The byte-level alphabet of GPT-2 that vocabularies are written in: every byte as one printable character. Printable Latin-1 bytes
/// stand for themselves, the other 68 take U+0100 upwards in order (so a space is Ġ).
/// </summary>
public static class ByteAlphabet
{
    private static readonly char[] Letters = MakeLetters();
    private static readonly Dictionary<char, byte> Bytes = Enumerable.Range(0, 256).ToDictionary(b => Letters[b], b => (byte)b);

    /// <summary>The character that stands for a byte.</summary>
    public static char ToLetter(byte value) => Letters[value];

    /// <summary>The byte that a character stands for, or false where it stands for none.</summary>
    public static bool TryToByte(char letter, out byte value) => Bytes.TryGetValue(letter, out value);

    /// <summary>The UTF-8 bytes of a text, a character each.</summary>
    public static string Spell(ReadOnlySpan<char> text)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, bytes);
        return string.Create(bytes.Length, bytes, (letters, from) =>
        {
            for (int i = 0; i < from.Length; i++) letters[i] = Letters[from[i]];
        });
    }

    /// <summary>The bytes that a token stands for: one with any character outside the alphabet (an added token with a space in it) stands for its own UTF-8.</summary>
    public static byte[] BytesOf(string token)
    {
        byte[] bytes = new byte[token.Length];
        for (int i = 0; i < bytes.Length; i++)
            if (!TryToByte(token[i], out bytes[i])) return Encoding.UTF8.GetBytes(token);
        return bytes;
    }

    private static char[] MakeLetters()
    {
        var letters = new char[256];
        int next = 0x100;
        for (int b = 0; b < 256; b++)
        {
            bool printable = b is >= 0x21 and <= 0x7E or >= 0xA1 and <= 0xAC or >= 0xAE;
            letters[b] = printable ? (char)b : (char)next++;
        }

        return letters;
    }
}
