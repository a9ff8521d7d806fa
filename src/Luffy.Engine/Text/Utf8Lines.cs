using System.Text;

namespace Luffy.Engine.Text;

/// <summary>
/// The lines of UTF-8 text, one at a time. A line ends with \n alone: \r is text. Bytes that are no UTF-8 are an error with their place,
/// where the platform's reader would quietly put U+FFFD.
/// </summary>
public static class Utf8Lines
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The lines without their ends; a byte-order mark at the beginning is left out, and so is an empty last line.</summary>
    /// <param name="stream">What is read; it stays open.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="LuffyException">A line is no UTF-8.</exception>
    public static IEnumerable<string> Read(Stream stream, string name)
    {
        ArgumentNullException.ThrowIfNull(stream);
        using var line = new MemoryStream();
        var block = new byte[1 << 16];
        int number = 0, count;
        while ((count = stream.Read(block)) > 0)
        {
            int start = 0, end;
            while ((end = Array.IndexOf(block, (byte)'\n', start, count - start)) >= 0)
            {
                line.Write(block, start, end - start);
                start = end + 1;
                yield return Decode(line, name, ++number);
                line.SetLength(0);
            }
            line.Write(block, start, count - start);
        }
        if (line.Length > 0) yield return Decode(line, name, ++number);
    }

    private static string Decode(MemoryStream line, string name, int number)
    {
        ReadOnlySpan<byte> bytes = line.GetBuffer().AsSpan(0, (int)line.Length);
        if (number == 1 && bytes.StartsWith(Encoding.UTF8.Preamble)) bytes = bytes[Encoding.UTF8.Preamble.Length..];
        try
        {
            return Strict.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new LuffyException($"{name}:{number}: found bytes that are no UTF-8 at byte {e.Index}; expected UTF-8 text", innerException: e);
        }
    }
}
