using Luffy.Engine;

namespace Luffy.Cli;

/// <summary>The lines of a file, or of standard input where none was named.</summary>
internal sealed class InputText : IDisposable
{
    private readonly TextReader _reader;
    private readonly bool _owned;

    private InputText(TextReader reader, string name, bool owned) => (_reader, Name, _owned) = (reader, name, owned);

    /// <summary>What messages call it.</summary>
    public string Name { get; }

    /// <summary>The lines, read as they are asked for. A line ends with \n alone: \r is text.</summary>
    public IEnumerable<string> Lines
    {
        get
        {
            var line = new System.Text.StringBuilder();
            int next;
            while ((next = _reader.Read()) >= 0)
            {
                if (next != '\n')
                {
                    line.Append((char)next);
                    continue;
                }
                yield return line.ToString();
                line.Clear();
            }
            if (line.Length > 0)
                yield return line.ToString();
        }
    }

    /// <summary>Opens a file, or takes standard input.</summary>
    /// <exception cref="LuffyException">The file cannot be opened.</exception>
    public static InputText Open(string? path, Streams streams)
    {
        if (path is null)
            return new InputText(streams.In, "standard input", owned: false);
        try
        {
            return new InputText(new StreamReader(path), path, owned: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LuffyException($"{path}: cannot be opened: {e.Message}", 1, e);
        }
    }

    public void Dispose()
    {
        if (_owned)
            _reader.Dispose();
    }
}
