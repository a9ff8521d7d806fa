using CsCheck;
using Luffy.Engine.Text;

namespace Luffy.Engine.Tests.Text;

public sealed class StreamingDecoderTests
{
    private static readonly BpeTokenizer Tokenizer = BpeTokenizer.Load(Fixture.PathOf("bytes-only"));

    [Test]
    public void A_code_point_comes_out_when_its_last_byte_arrives()
    {
        var decoder = new StreamingDecoder(Tokenizer);
        Assert.That(Tokenizer.Encode("é😀").Select(decoder.Append), Is.EqualTo((string[])["", "é", "", "", "", "😀"]));
        Assert.That(decoder.Finish(), Is.Empty);
    }

    [Test]
    public void What_never_becomes_whole_is_replaced_at_the_end()
    {
        var decoder = new StreamingDecoder(Tokenizer);
        Assert.That(decoder.Append(Tokenizer.Encode("é")[0]), Is.Empty);
        Assert.That(decoder.Finish(), Is.EqualTo("\uFFFD"));
        Assert.That(decoder.Append(Tokenizer.Encode("a")[0]), Is.EqualTo("a"));
    }

    [Test]
    public void Any_ids_streamed_equal_the_same_ids_decoded_at_once() =>
        Gen.Int[0, Tokenizer.VocabularySize - 1].Array[0, 40].Select(Gen.Bool).Sample((ids, skip) =>
        {
            var decoder = new StreamingDecoder(Tokenizer, skip);
            string streamed = string.Concat(ids.Select(decoder.Append)) + decoder.Finish();
            return streamed == Tokenizer.Decode(ids, skip);
        });
}
