using System.Text;
using System.Text.Json;

namespace Luffy.Engine.Data.Rows;

/// <summary>The items of a JSON file that is one array, one at a time: no more of the file is in memory than the longest item needs.</summary>
internal static class JsonArrayText
{
    private const int FirstBuffer = 1 << 16;
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The text of each item, with its number from 1.</summary>
    /// <exception cref="LuffyException">The file is no array, or malformed.</exception>
    public static IEnumerable<(string Text, long Number)> Read(Stream stream, string file)
    {
        var scan = new Scan(stream, file);
        while (scan.Next() is { } text) yield return (text, scan.Items);
    }

    private sealed class Scan(Stream stream, string file)
    {
        private byte[] buffer = new byte[FirstBuffer];
        private int start, end;
        private long consumed;
        private bool atEnd, opened;
        private JsonReaderState state = new(new JsonReaderOptions { MaxDepth = 128 });

        public long Items { get; private set; }

        // Null where the array has ended.
        public string? Next()
        {
            while (true)
            {
                if (TryItem(out string? text, out bool ended)) return text;
                if (ended) return null;
                if (atEnd) throw new LuffyException($"{file}: the file ends at byte {consumed + (end - start)} within the array, after {Items} whole rows; expected ']'. It may be cut off: get it again.");
                Fill();
            }
        }

        private bool TryItem(out string? text, out bool ended)
        {
            (text, ended) = (null, false);
            try
            {
                var reader = new Utf8JsonReader(buffer.AsSpan(start, end - start), isFinalBlock: false, state);
                if (!opened)
                {
                    if (!reader.Read()) return false;
                    opened = true;
                    Consume(ref reader);
                    reader = new Utf8JsonReader(buffer.AsSpan(start, end - start), isFinalBlock: false, state);
                }

                if (!reader.Read()) return false;
                if (reader.TokenType == JsonTokenType.EndArray)
                {
                    Consume(ref reader);
                    CheckNothingFollows();
                    ended = true;
                    return false;
                }

                int begin = (int)reader.TokenStartIndex;
                if (!reader.TrySkip()) return false;
                text = Strict.GetString(buffer.AsSpan(start + begin, (int)reader.BytesConsumed - begin));
                Items++;
                Consume(ref reader);
                return true;
            }
            catch (JsonException error)
            {
                throw new LuffyException($"{file}: row {Items + 1}: found malformed JSON ({error.Message.Split(". ")[0].TrimEnd('.')}), expected an array of objects; correct the file.", 1, error);
            }
            catch (DecoderFallbackException error)
            {
                throw new LuffyException($"{file}: row {Items + 1}: found bytes that are no UTF-8 at byte {error.Index} of the row; expected UTF-8 text", 1, error);
            }
        }

        private void Consume(ref Utf8JsonReader reader)
        {
            state = reader.CurrentState;
            start += (int)reader.BytesConsumed;
            consumed += reader.BytesConsumed;
        }

        private void CheckNothingFollows()
        {
            do
            {
                if (buffer.AsSpan(start, end - start).IndexOfAnyExcept(" \t\r\n"u8) is >= 0 and int at)
                    throw new LuffyException($"{file}: found further text at byte {consumed + at} after the array's end; expected one array of rows.");
                consumed += end - start;
                start = end;
                Fill();
            }
            while (!atEnd);
        }

        private void Fill()
        {
            if (start > 0)
            {
                buffer.AsSpan(start, end - start).CopyTo(buffer);
                (start, end) = (0, end - start);
            }

            if (end == buffer.Length)
            {
                if (buffer.Length >= Array.MaxLength / 2) throw new LuffyException($"{file}: row {Items + 1} has more than {buffer.Length} bytes, which is no row of a dataset.");
                Array.Resize(ref buffer, buffer.Length * 2);
            }

            int read = stream.Read(buffer, end, buffer.Length - end);
            // A byte-order mark is no part of the text.
            if (consumed == 0 && !opened && end == 0 && buffer.AsSpan(0, read).StartsWith(Encoding.UTF8.Preamble)) start = Encoding.UTF8.Preamble.Length;
            end += read;
            atEnd = read == 0;
        }
    }
}
