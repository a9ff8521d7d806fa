using System.Text;

namespace Luffy.Cli;

/// <summary>Where a command reads and writes: results to <paramref name="Out"/>, messages to <paramref name="Error"/>.</summary>
/// <param name="In">Standard input, as bytes.</param>
/// <param name="Out">Standard output.</param>
/// <param name="Error">Standard error.</param>
internal sealed record Streams(Stream In, TextWriter Out, TextWriter Error)
{
    /// <summary>The process's own, as UTF-8 without a byte-order mark and with the output buffered; the command line flushes it.</summary>
    public static Streams Standard()
    {
        var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        return new Streams(
            Console.OpenStandardInput(),
            new StreamWriter(Console.OpenStandardOutput(), utf8, bufferSize: 1 << 16) { NewLine = "\n" },
            Console.Error);
    }
}
