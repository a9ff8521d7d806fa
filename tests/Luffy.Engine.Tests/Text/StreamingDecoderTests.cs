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
    public void Bytes_to_fall_back_on_wait_until_it_is_known_what_they_are()
    {
        var tokenizer = BpeTokenizer.Load(Fixture.PathOf("tiny-llama2"));
        var decoder = new StreamingDecoder(tokenizer);
        int[] face = tokenizer.Encode("😀")[1..], letter = [tokenizer.TokenId("a")!.Value];
        Assert.That(face, Has.Length.EqualTo(4));
        // A run that is no UTF-8 is four replacement characters and not one, so none may come out before the run ends.
        Assert.That(((int[])[.. face, .. letter]).Select(decoder.Append), Is.EqualTo((string[])["", "", "", "", "😀a"]));
        Assert.That(((int[])[.. face[..3], .. letter]).Select(decoder.Append), Is.EqualTo((string[])["", "", "", "\uFFFD\uFFFD\uFFFDa"]));
        Assert.That(face.Select(decoder.Append).ToArray(), Is.All.Empty);
        Assert.That(decoder.Finish(), Is.EqualTo("😀"));
    }

    [TestCase("bytes-only")]
    [TestCase("tiny-qwen")]
    [TestCase("tiny-llama3")]
    [TestCase("tiny-llama2")]
    [TestCase("tiny-mistral")]
    public void Any_ids_streamed_equal_the_same_ids_decoded_at_once(string name)
    {
        var tokenizer = BpeTokenizer.Load(Fixture.PathOf(name));
        Gen.Int[0, tokenizer.VocabularySize - 1].Array[0, 40].Select(Gen.Bool).Sample((ids, skip) =>
        {
            var decoder = new StreamingDecoder(tokenizer, skip);
            string streamed = string.Concat(ids.Select(decoder.Append)) + decoder.Finish();
            return streamed == tokenizer.Decode(ids, skip);
        });
    }

    [TestCase("""[{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":2}]""", new[] { 0, 1, 0, 2, 0, 0, 0 }, "  a   b     ")]
    [TestCase("""[{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":2}]""", new[] { 0, 0, 0 }, "   ")]
    [TestCase("""[{"type":"Strip","content":" ","start":1,"stop":2}]""", new[] { 1, 2, 1 }, "aba")]
    public void Ends_are_stripped_of_the_whole_text_after_fusing_and_of_each_token_before(string decoders, int[] ids, string expected)
    {
        string folder = Fixture.NewFolder();
        File.WriteAllText(
            Path.Combine(folder, "tokenizer.json"),
            """{"model":{"vocab":{"  ":0," a ":1,"b ":2},"merges":[]},"decoder":{"type":"Sequence","decoders":DECODERS}}""".Replace("DECODERS", decoders, StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), """{"eos_token":"b "}""");
        var tokenizer = BpeTokenizer.Load(folder);
        var decoder = new StreamingDecoder(tokenizer);
        Assert.That(string.Concat(ids.Select(decoder.Append)) + decoder.Finish(), Is.EqualTo(expected));
        Assert.That(tokenizer.Decode(ids), Is.EqualTo(expected));
        Directory.Delete(folder, recursive: true);
    }
}
