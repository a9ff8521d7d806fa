namespace Luffy.Cli.Tests;

public sealed class CommandLineTests
{
    [Test]
    public async Task Without_a_command_there_is_help_and_wrong_usage()
    {
        (int code, string output, _) = await Shell.RunAsync("");
        Assert.That(code, Is.EqualTo(2));
        Assert.That(output, Does.Contain("tokenize"));
    }

    [TestCase("frobnicate")]
    [TestCase("tokenize")]
    [TestCase("tokenize", "--tokenizer", "x", "--nonsense")]
    public async Task Wrong_usage_is_said_on_standard_error(params string[] arguments)
    {
        (int code, string output, string error) = await Shell.RunAsync("", arguments);
        Assert.That(code, Is.EqualTo(2));
        Assert.That(output, Is.Empty);
        Assert.That(error, Does.StartWith("luffy: ").And.Contain("--help"));
    }

    [Test]
    public async Task Help_is_a_result()
    {
        (int code, string output, string error) = await Shell.RunAsync("", "tokenize", "--help");
        Assert.That((code, error), Is.EqualTo((0, "")));
        Assert.That(output, Does.Contain("--tokenizer"));
    }

    [Test]
    public async Task What_cannot_be_done_is_one_sentence_without_a_stack_trace()
    {
        (int code, string output, string error) = await Shell.RunAsync("", "tokenize", "--tokenizer", "no/such/folder");
        Assert.That((code, output), Is.EqualTo((1, "")));
        Assert.That(error, Does.StartWith("luffy: no/such/folder").And.Not.Contain("   at "));
        Assert.That(error.TrimEnd('\n'), Does.Not.Contain('\n'));
    }
}
