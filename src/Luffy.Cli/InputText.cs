using Luffy.Engine;
using Luffy.Engine.Text;

namespace Luffy.Cli;

/// <summary>The lines of a file, or of standard input where none was named.</summary>
internal sealed class InputText : IDisposable
{
    private readonly Stream _stream;
    private readonly bool _owned;

    private InputText(Stream stream, string name, bool owned) => (_stream, Name, _owned) = (stream, name, owned);

    /// <summary>What messages call it.</summary>
    public string Name { get; }

    /// <summary>The lines, read as they are asked for. A line ends with \n alone: \r is text.</summary>
    public IEnumerable<string> Lines => Utf8Lines.Read(_stream, Name);

    /// <summary>The lines that are not blank, each with its place: what JSONL holds.</summary>
    public IEnumerable<(string Line, string Where)> Rows =>
        Lines.Select((line, i) => (line, $"{Name}:{i + 1}")).Where(row => !string.IsNullOrWhiteSpace(row.line));

    /// <summary>Opens a file, or takes standard input.</summary>
    /// <exception cref="LuffyException">The file cannot be opened.</exception>
    public static InputText Open(string? path, Streams streams)
    {
        if (path is null)
            return new InputText(streams.In, "standard input", owned: false);
        try
        {
            return new InputText(File.OpenRead(path), path, owned: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LuffyException($"{path}: cannot be opened: {e.Message}", 1, e);
        }
    }

    public void Dispose()
    {
        if (_owned)
            _stream.Dispose();
    }
}
