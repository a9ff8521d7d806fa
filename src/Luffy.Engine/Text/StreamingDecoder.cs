namespace Luffy.Engine.Text;

/// <summary>
/// Decodes ids as they are sampled. A code point whose bytes are spread over several tokens comes out once it is whole; all that was
/// returned, put together, equals <see cref="ITokenizer.Decode"/> of all ids. Not safe to share between threads.
/// </summary>
public sealed class StreamingDecoder(BpeTokenizer tokenizer, bool skipSpecialTokens = false)
{
    private readonly TokenDecoding decoding = tokenizer.StartDecoding();

    /// <summary>The text that this id completes; often the whole token, sometimes nothing.</summary>
    public string Append(int id) => skipSpecialTokens && tokenizer.IsSpecial(id) ? "" : decoding.Append(id);

    /// <summary>Ends the stream: a code point that never became whole comes out as U+FFFD. The decoder may then be used afresh.</summary>
    public string Finish() => decoding.Finish();
}
