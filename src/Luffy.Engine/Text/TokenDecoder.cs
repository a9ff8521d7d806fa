using System.Buffers;
using System.Text;

namespace Luffy.Engine.Text;

/// <summary>How the tokens of ids become text again, as tokenizer.json's <c>decoder</c> says. Immutable and safe to use from several threads.</summary>
internal abstract class TokenDecoder
{
    /// <summary>A decoding from its beginning. It belongs to one thread.</summary>
    public abstract TokenDecoding Start();

    /// <summary>All of the text at once.</summary>
    public virtual string Decode(ReadOnlySpan<int> ids)
    {
        var decoding = Start();
        var result = new StringBuilder(ids.Length * 4);
        foreach (int id in ids) result.Append(decoding.Append(id));
        return result.Append(decoding.Finish()).ToString();
    }
}

/// <summary>A decoding under way. What its calls return, put together, is the text; none returns what a later token could still change.</summary>
internal abstract class TokenDecoding
{
    /// <summary>The text that this id completes.</summary>
    public abstract string Append(int id);

    /// <summary>The text that waited for more; the decoding may then be used afresh.</summary>
    public abstract string Finish();
}

/// <summary>The <c>ByteLevel</c> decoder: tokens are bytes, and the bytes UTF-8. What is no UTF-8 becomes U+FFFD.</summary>
/// <param name="bytesById">The bytes of each id's token; null where it has none.</param>
internal sealed class ByteLevelDecoder(byte[]?[] bytesById) : TokenDecoder
{
    public override TokenDecoding Start() => new Decoding(bytesById);

    public override string Decode(ReadOnlySpan<int> ids)
    {
        var bytes = new ArrayBufferWriter<byte>(Math.Max(16, ids.Length * 4));
        foreach (int id in ids)
            if ((uint)id < (uint)bytesById.Length) bytes.Write(bytesById[id]);
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    private sealed class Decoding(byte[]?[] bytesById) : TokenDecoding
    {
        private readonly Decoder utf8 = Encoding.UTF8.GetDecoder();

        public override string Append(int id) => (uint)id < (uint)bytesById.Length ? Convert(bytesById[id], flush: false) : "";

        public override string Finish() => Convert(default, flush: true);

        private string Convert(ReadOnlySpan<byte> bytes, bool flush)
        {
            Span<char> characters = new char[utf8.GetCharCount(bytes, flush)];
            return characters[..utf8.GetChars(bytes, characters, flush)].ToString();
        }
    }
}

/// <summary>Decoders over the tokens' text, one after another: what Llama 2, Mistral and Gemma have.</summary>
/// <param name="textById">The text of each id's token; null where it has none.</param>
/// <param name="stages">The stages in order, each made anew for a decoding.</param>
/// <param name="separator">What stands between tokens: nothing, or a space where a file has no decoder at all.</param>
internal sealed class TextDecoder(string?[] textById, IReadOnlyList<Func<DecodingStage>> stages, string separator) : TokenDecoder
{
    public override TokenDecoding Start() => new Decoding(textById, [.. stages.Select(make => make())], separator);

    private sealed class Decoding(string?[] textById, DecodingStage[] stages, string separator) : TokenDecoding
    {
        private readonly StringBuilder output = new();
        private bool begun;

        public override string Append(int id)
        {
            if ((uint)id >= (uint)textById.Length || textById[id] is not { } text) return "";
            Pass(0, begun ? separator + text : text);
            begun = true;
            return Take();
        }

        public override string Finish()
        {
            for (int i = 0; i < stages.Length; i++)
            {
                int next = i + 1;
                stages[i].Finish(text => Pass(next, text));
            }

            begun = false;
            return Take();
        }

        private void Pass(int stage, string text)
        {
            if (stage == stages.Length) output.Append(text);
            else stages[stage].Append(text, passed => Pass(stage + 1, passed));
        }

        private string Take()
        {
            string text = output.ToString();
            output.Clear();
            return text;
        }
    }
}
