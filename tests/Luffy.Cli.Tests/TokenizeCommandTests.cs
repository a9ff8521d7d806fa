namespace Luffy.Cli.Tests;

public sealed class TokenizeCommandTests
{
    private string _folder = "";

    [OneTimeSetUp]
    public void WriteTokenizer()
    {
        _folder = Directory.CreateTempSubdirectory("luffy-test-").FullName;
        TestTokenizer.Write(_folder);
    }

    [OneTimeTearDown]
    public void RemoveTokenizer() => Directory.Delete(_folder, recursive: true);

    [Test]
    public async Task Lines_become_lines_of_ids_and_back()
    {
        (int code, string ids, string error) = await Shell.RunAsync("Hi!\n\né<|end|>", "tokenize", "--tokenizer", _folder);
        Assert.That((code, ids, error), Is.EqualTo((0, "72 105 33\n\n195 169 256\n", "")));
        (code, string text, _) = await Shell.RunAsync(ids, "tokenize", "--tokenizer", _folder, "--decode");
        Assert.That((code, text), Is.EqualTo((0, "Hi!\n\né<|end|>\n")));
    }

    [Test]
    public async Task Any_text_can_pass_as_json()
    {
        const string Line = """{"text":"a\nb \"q\" é\u0000"}""";
        (int code, string ids, _) = await Shell.RunAsync(Line + "\n", "tokenize", "--tokenizer", _folder, "--jsonl");
        Assert.That((code, ids), Is.EqualTo((0, """{"ids":[97,10,98,32,34,113,34,32,195,169,0]}""" + "\n")));
        (code, string text, _) = await Shell.RunAsync(ids, "tokenize", "--tokenizer", _folder, "--jsonl", "--decode");
        Assert.That((code, text), Is.EqualTo((0, Line + "\n")));
    }

    [Test]
    public async Task Bytes_that_are_no_text_are_named_with_their_place()
    {
        (int code, string output, string error) = await Shell.RunAsync([.. "ok\n"u8, (byte)'a', 0xFF, (byte)'\n'], "tokenize", "--tokenizer", _folder);
        Assert.That((code, output), Is.EqualTo((1, "111 107\n")));
        Assert.That(error, Is.EqualTo("luffy: standard input:2: found bytes that are no UTF-8 at byte 1; expected UTF-8 text\n"));
    }

    [Test]
    public async Task Half_a_surrogate_pair_is_named_with_its_place()
    {
        (int code, string output, string error) = await Shell.RunAsync("""{"text":"\ud83d"}""" + "\n", "tokenize", "--tokenizer", _folder, "--jsonl");
        Assert.That((code, output), Is.EqualTo((1, "")));
        Assert.That(error, Does.StartWith("luffy: standard input:1: the string at byte 8 has an escape of half a surrogate pair"));
    }

    [TestCase("""[{"role":"user","content":"é"}]""", """{"text":"user:é;A","ids":[117,115,101,114,58,195,169,59,65]}""")]
    [TestCase("""{"messages":[{"role":"u","content":"1"}],"mood":"!"}""", """{"text":"u:1;A!","ids":[117,58,49,59,65,33]}""")]
    [TestCase("""{"messages":[],"add_generation_prompt":false}""", """{"text":"","ids":[]}""")]
    public async Task Conversations_become_prompts(string line, string expected)
    {
        (int code, string output, string error) = await Shell.RunAsync(line + "\n", "tokenize", "--tokenizer", _folder, "--chat");
        Assert.That((code, output, error), Is.EqualTo((0, expected + "\n", "")));
    }

    [Test]
    public async Task Options_that_contradict_each_other_are_wrong_usage()
    {
        (int code, _, string error) = await Shell.RunAsync("", "tokenize", "--tokenizer", _folder, "--chat", "--decode");
        Assert.That(code, Is.EqualTo(2));
        Assert.That(error, Does.Contain("--chat"));
    }

    [TestCase("--skip-special-tokens", "--jsonl", "--decode")]
    [TestCase("--clean-up-spaces", "--chat", "--decode")]
    [TestCase("--add-special-tokens", "--decode", "--add-special-tokens")]
    [TestCase("--add-special-tokens", "--chat", "--add-special-tokens")]
    [TestCase("--date=2024-07-26", "--jsonl", "--date")]
    [TestCase("--date=26.7.2024", "--chat", "expected a day like 2024-07-26")]
    [TestCase("--keep-going", "--decode", "--keep-going")]
    public async Task Options_that_would_do_nothing_are_wrong_usage(string option, string with, string expected)
    {
        (int code, _, string error) = await Shell.RunAsync("", "tokenize", "--tokenizer", _folder, with, option);
        Assert.That((code, error), Is.EqualTo((2, error)));
        Assert.That(error, Does.Contain(expected));
    }

    [Test]
    public async Task Special_tokens_are_left_out_and_spaces_cleaned_up_when_asked()
    {
        (int code, string text, _) = await Shell.RunAsync("72 32 33 256\n", "tokenize", "--tokenizer", _folder, "--decode", "--skip-special-tokens", "--clean-up-spaces");
        Assert.That((code, text), Is.EqualTo((0, "H!\n")));
        (code, text, _) = await Shell.RunAsync("72 32 33 256\n", "tokenize", "--tokenizer", _folder, "--decode");
        Assert.That((code, text), Is.EqualTo((0, "H !<|end|>\n")));
    }

    [Test]
    public async Task A_file_is_converted_by_several_threads_in_order()
    {
        string file = Path.Combine(_folder, "numbers.jsonl");
        File.WriteAllLines(file, Enumerable.Range(0, 10_000).Select(i => $$"""{"text":"{{(char)('a' + i % 26)}}"}"""));
        (int code, string output, _) = await Shell.RunAsync("", "tokenize", "--tokenizer", _folder, "--jsonl", "--input", file);
        Assert.That(code, Is.Zero);
        Assert.That(output, Is.EqualTo(string.Concat(Enumerable.Range(0, 10_000).Select(i => $$"""{"ids":[{{97 + i % 26}}]}""" + "\n"))));

        File.WriteAllLines(file, ["{\"text\":\"a\"}", "{}", "{\"text\":\"b\"}"]);
        (code, output, string error) = await Shell.RunAsync("", "tokenize", "--tokenizer", _folder, "--jsonl", "--input", file);
        Assert.That((code, output), Is.EqualTo((1, "{\"ids\":[97]}\n")));
        Assert.That(error, Does.StartWith($"luffy: {file}:2"));
    }

    [Test]
    public async Task A_bad_line_may_be_told_in_its_place()
    {
        (int code, string output, string error) = await Shell.RunAsync("{\"text\":\"a\"}\n[1]\n{\"text\":\"b\"}\n", "tokenize", "--tokenizer", _folder, "--jsonl", "--keep-going");
        Assert.That(code, Is.EqualTo(1));
        Assert.That(output, Does.StartWith("{\"ids\":[97]}\n{\"error\":\"standard input:2: found a JSON array").And.EndWith("\n{\"ids\":[98]}\n"));
        Assert.That(error, Is.EqualTo("luffy: standard input: 1 line(s) could not be converted; each has its error in the output.\n"));
    }

    [TestCase("{\"messages\":3}", "--chat", "standard input:1: found {\"messages\":3}, expected a list of messages")]
    [TestCase("1 2 x", "--decode", "standard input:1: found 'x', expected an id.")]
    [TestCase("1\n257", "--decode", "standard input:2: found 257, expected an id from 0 to 256.")]
    [TestCase("{\"text\":1}", "--jsonl", "standard input:1: 'text' is number; expected a string")]
    [TestCase("{\"tex", "--jsonl", "standard input:1: not valid JSON at byte 5")]
    [TestCase("[1]", "--jsonl", "standard input:1: found a JSON array; expected an object")]
    public async Task A_bad_line_is_named(string input, string option, string message)
    {
        (int code, _, string error) = await Shell.RunAsync(input, "tokenize", "--tokenizer", _folder, option);
        Assert.That(code, Is.EqualTo(1));
        Assert.That(error, Does.StartWith("luffy: " + message));
    }
}
