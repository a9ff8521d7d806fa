using System.Text.Json;
using Luffy.Engine.Text;
using Luffy.Engine.Text.Unicode;

namespace Luffy.Engine.Tests.Text;

/// <summary>Ids against those of Hugging Face tokenizers; tests/oracles/text/make_tokenizer_golden.mjs made the files.</summary>
public sealed class BpeTokenizerTests
{
    /// <summary>A string, its ids, what they decode to, and the ids with special tokens around where there are any; without a string, ids alone.</summary>
    public sealed record Golden(string? Text, int[] Ids, string Decoded, int[]? Around);

    private static IEnumerable<Golden> Read(string file) => File.ReadLines(Fixture.PathOf(file))
        .Select(line => JsonSerializer.Deserialize<Golden>(line, JsonSerializerOptions.Web)!);

    [TestCase("tiny-qwen")]
    [TestCase("tiny-llama3")]
    [TestCase("bytes-only")]
    [TestCase("tiny-llama2")]
    [TestCase("tiny-mistral")]
    public void Tiny_tokenizers_give_the_ids_of_Hugging_Face(string name) =>
        AssertGolden(BpeTokenizer.Load(Fixture.PathOf(name)), name + ".jsonl", 180);

    [Test]
    public void Qwen2_5_gives_the_ids_of_Hugging_Face() =>
        AssertGolden(BpeTokenizer.Load(SharedData.Require("data/qwen2.5-tokenizer")), "qwen2.5.jsonl", 180);

    private static void AssertGolden(BpeTokenizer tokenizer, string file, int atLeast)
    {
        int count = 0;
        foreach (var golden in Read(file))
        {
            string shown = JsonSerializer.Serialize(golden);
            Assert.That(tokenizer.Decode(golden.Ids), Is.EqualTo(golden.Decoded), shown);
            count++;
            if (golden.Text is null) continue;
            Assert.That(tokenizer.Encode(golden.Text), Is.EqualTo(golden.Ids), shown);
            Assert.That(tokenizer.EncodeWithSpecialTokens(golden.Text), Is.EqualTo(golden.Around ?? golden.Ids), shown);
        }

        Assert.That(count, Is.GreaterThanOrEqualTo(atLeast));
    }

    [Test]
    public void Gsm8k_survives_encoding_and_decoding()
    {
        var tokenizer = BpeTokenizer.Load(SharedData.Require("data/qwen2.5-tokenizer"));
        int tokens = 0;
        foreach (string line in File.ReadLines(SharedData.Require("data/gsm8k/test.jsonl")))
        {
            using var record = JsonDocument.Parse(line);
            string text = record.RootElement.GetProperty("question").GetString()!;
            int[] ids = tokenizer.Encode(text);
            tokens += ids.Length;
            Assert.That(tokenizer.Decode(ids), Is.EqualTo(NfcNormalizer.Normalize(text)));
        }

        Assert.That(tokens, Is.GreaterThan(50_000));
    }

    [Test]
    public void Many_threads_give_the_ids_that_one_gives()
    {
        var texts = Read("tiny-qwen.jsonl").ToArray();
        var tokenizer = BpeTokenizer.Load(Fixture.PathOf("tiny-qwen"));
        Parallel.For(0, texts.Length * 20, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
        {
            var golden = texts[i % texts.Length];
            if (!tokenizer.Encode(golden.Text!).AsSpan().SequenceEqual(golden.Ids)) throw new AssertionException(golden.Text!);
        });
    }

    [Test]
    public void Names_special_tokens_and_leaves_them_out_when_asked()
    {
        var tokenizer = BpeTokenizer.Load(Fixture.PathOf("tiny-qwen"));
        int end = tokenizer.TokenId("<|im_end|>")!.Value;
        Assert.Multiple(() =>
        {
            Assert.That(tokenizer.EndOfTextId, Is.EqualTo(end));
            Assert.That(tokenizer.VocabularySize, Is.EqualTo(379));
            Assert.That(tokenizer.IsSpecial(end), Is.True);
            Assert.That(tokenizer.TokenText(end), Is.EqualTo("<|im_end|>"));
            Assert.That(tokenizer.TokenId("no such token"), Is.Null);
            Assert.That(tokenizer.Decode([.. tokenizer.Encode("so<think>"), end]), Is.EqualTo("so<think><|im_end|>"));
            Assert.That(tokenizer.Decode([.. tokenizer.Encode("so<think>"), end], skipSpecialTokens: true), Is.EqualTo("so<think>"));
            Assert.That(tokenizer.Decode([100_000, -1]), Is.Empty);
        });
    }

    [Test]
    public void Half_a_surrogate_pair_becomes_the_replacement_character()
    {
        var tokenizer = BpeTokenizer.Load(Fixture.PathOf("bytes-only"));
        Assert.That(tokenizer.Decode(tokenizer.Encode("a\uD83Db")), Is.EqualTo("a\uFFFDb"));
    }

    [TestCase("{", "malformed JSON")]
    [TestCase("[]", "a JSON object")]
    [TestCase("{}", "model: found nothing, expected an object")]
    [TestCase("""{"model":{"type":"Unigram"}}""", "model.type: found \"Unigram\", expected \"BPE\"")]
    [TestCase("""{"model":{"vocab":{"a":"x"},"merges":[]}}""", "model.vocab.a: found \"x\", expected an integer")]
    [TestCase("""{"model":{"vocab":{"a":-4},"merges":[]}}""", "expected an id from 0")]
    [TestCase("""{"model":{"vocab":{"a":0},"merges":["a b"]}}""", "model.merges[0]: found \"a b\"")]
    [TestCase("""{"model":{"vocab":{"a":0},"merges":["ab"]}}""", "two tokens with a space")]
    [TestCase("""{"model":{"type":"WordPiece"}}""", "model.type: found \"WordPiece\", expected \"BPE\"")]
    [TestCase("""{"model":{"dropout":0.1,"vocab":{"a":0},"merges":[]}}""", "model.dropout: found 0.1, expected null")]
    [TestCase("""{"model":{"end_of_word_suffix":"</w>","vocab":{"a":0},"merges":[]}}""", "model.end_of_word_suffix: found \"</w>\"")]
    [TestCase("""{"model":{"vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"BertPreTokenizer"}}""", "pre_tokenizer.type: found \"BertPreTokenizer\"")]
    [TestCase("""{"model":{"vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Metaspace"}}""", "pre_tokenizer.replacement: found nothing")]
    [TestCase("""{"model":{"vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Split","behavior":"Isolated","pattern":{"Regex":"\\w+"}}}""", "found \\w in the pattern")]
    [TestCase("""{"model":{"vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Split","behavior":"Isolated","pattern":{"Regex":"[^(\\s|[.,])]"}}}""", "a class within a class")]
    [TestCase("""{"model":{"vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Split","behavior":"Isolated","pattern":{"Regex":"\\p{L}++"}}}""", "the possessive quantifier ++")]
    [TestCase("""{"model":{"vocab":{"a":0},"merges":[]},"decoder":{"type":"WordPiece"}}""", "decoder.type: found \"WordPiece\"")]
    [TestCase("""{"model":{"vocab":{"a":0},"merges":[]},"decoder":{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"ByteFallback"}]}}""", "expected Strip or nothing after Fuse")]
    [TestCase("""{"model":{"vocab":{"a":0},"merges":[]},"post_processor":{"type":"BertProcessing"}}""", "post_processor.type: found \"BertProcessing\"")]
    [TestCase("""{"model":{"vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Split","behavior":"Isolated","pattern":{"Regex":"("}}}""", "cannot be compiled")]
    [TestCase("""{"model":{"vocab":{"a":0},"merges":[]},"normalizer":{"type":"NFKC"},"pre_tokenizer":{"type":"ByteLevel"}}""", "normalizer.type: found \"NFKC\"")]
    public void A_bad_tokenizer_file_is_reported_with_its_place(string json, string expected)
    {
        string folder = Fixture.NewFolder();
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), json);
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), """{"eos_token":"a"}""");
        var error = Assert.Throws<LuffyException>(() => BpeTokenizer.Load(folder))!;
        Assert.That(error.Message, Does.Contain("tokenizer.json").And.Contain(expected));
        Directory.Delete(folder, recursive: true);
    }

    [TestCase("{}", "eos_token: found nothing")]
    [TestCase("""{"eos_token":"zzz"}""", "eos_token: found \"zzz\"")]
    [TestCase("""{"eos_token":"a","added_tokens_decoder":{"x":{"content":"b"}}}""", "a token id")]
    public void A_bad_tokenizer_configuration_is_reported_with_its_place(string json, string expected)
    {
        string folder = Fixture.NewFolder();
        File.Copy(Path.Combine(Fixture.PathOf("bytes-only"), "tokenizer.json"), Path.Combine(folder, "tokenizer.json"));
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), json);
        var error = Assert.Throws<LuffyException>(() => BpeTokenizer.Load(folder))!;
        Assert.That(error.Message, Does.Contain("tokenizer_config.json").And.Contain(expected));
        Directory.Delete(folder, recursive: true);
    }

    [Test]
    public void A_missing_directory_or_file_is_reported()
    {
        Assert.That(Assert.Throws<LuffyException>(() => BpeTokenizer.Load("no-such-folder"))!.Message, Does.Contain("no such directory"));
        string folder = Fixture.NewFolder();
        Assert.That(Assert.Throws<LuffyException>(() => BpeTokenizer.Load(folder))!.Message, Does.Contain("tokenizer.json: cannot be read"));
        Directory.Delete(folder);
    }

    [Test]
    public void A_byte_without_a_token_is_an_error_and_never_dropped()
    {
        string folder = Fixture.NewFolder();
        File.WriteAllText(
            Path.Combine(folder, "tokenizer.json"), """{"model":{"vocab":{"a":0,"b":1},"merges":[]},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false}}""");
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), """{"eos_token":"b"}""");
        var tokenizer = BpeTokenizer.Load(folder);
        Assert.That(tokenizer.Encode("ab"), Is.EqualTo((int[])[0, 1]));
        Assert.That(Assert.Throws<LuffyException>(() => tokenizer.Encode("abc"))!.Message, Does.Contain("0x63"));

        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), """{"model":{"vocab":{"a":0,"b":1},"merges":[]}}""");
        tokenizer = BpeTokenizer.Load(folder);
        Assert.That(tokenizer.Encode("ab"), Is.EqualTo((int[])[0, 1]));
        Assert.That(Assert.Throws<LuffyException>(() => tokenizer.Encode("ab😀"))!.Message, Does.Contain("\"😀\"").And.Contain("byte_fallback"));
        Directory.Delete(folder, recursive: true);
    }

    [TestCase(" Hello , world . Isn 't it ? It 's 'm they 're we 've ! do n't ' x", "Hello, world. Isn 't it? It's'm they're we've! don't'x")]
    public void Spaces_are_cleaned_up_as_transformers_does(string text, string expected) => Assert.That(TokenizationCleanup.Apply(text).TrimStart(), Is.EqualTo(expected));
}
