using Luffy.Engine.Text;

namespace Luffy.Engine.Data.Rows;

/// <summary>A JSONL file, or a JSON file that is one array of rows; either may be packed by gzip.</summary>
internal sealed class JsonRowFile(string path, Func<Stream> open, bool isArray) : RowFile(path)
{
    // Rows need not all have the same fields.
    private const int RowsLookedAt = 64;

    private List<DataRow>? head;
    private IEnumerator<DataRow>? rest;

    public override string Format => isArray ? "JSON" : "JSONL";

    public override IReadOnlyList<string> Columns
    {
        get
        {
            Begin();
            return [.. head!.SelectMany(row => row.Root.EnumerateObject()).Select(member => member.Name).Distinct()];
        }
    }

    // What was looked at for the columns is not read again: a pipe gives it once.
    public override IEnumerable<DataRow> Read(IReadOnlySet<string>? columns = null)
    {
        Begin();
        (List<DataRow> first, IEnumerator<DataRow> further) = (head!, rest!);
        (head, rest) = (null, null);
        using (further)
        {
            foreach (DataRow row in first) yield return row;
            while (further.MoveNext()) yield return further.Current;
        }
    }

    public override DataRow? First(string column)
    {
        Begin();
        return head!.Count > 0 ? head[0] : null;
    }

    public override void Dispose()
    {
        rest?.Dispose();
        base.Dispose();
    }

    private void Begin()
    {
        if (head is not null) return;
        (head, rest) = ([], Rows().GetEnumerator());
        while (head.Count < RowsLookedAt && rest.MoveNext()) head.Add(rest.Current);
    }

    private IEnumerable<DataRow> Rows()
    {
        using Stream stream = open();
        using IEnumerator<(string Text, long Number)> texts = (isArray ? JsonArrayText.Read(stream, Path) : Lines(stream)).GetEnumerator();
        while (Next(texts))
        {
            (string text, long number) = texts.Current;
            yield return DataRow.Parse(text, Path, number, isArray ? $"{Path}: row {number}" : $"{Path}:{number}");
        }
    }

    private bool Next(IEnumerator<(string, long)> texts)
    {
        try
        {
            return texts.MoveNext();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw Unreadable(Path, error);
        }
    }

    private IEnumerable<(string, long)> Lines(Stream stream)
    {
        long line = 0;
        foreach (string text in Utf8Lines.Read(stream, Path))
        {
            line++;
            if (!string.IsNullOrWhiteSpace(text)) yield return (text, line);
        }
    }
}
