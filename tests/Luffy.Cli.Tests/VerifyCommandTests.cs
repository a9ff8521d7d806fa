namespace Luffy.Cli.Tests;

public sealed class VerifyCommandTests
{
    [Test]
    public async Task Answers_are_graded_in_order()
    {
        (int code, string output, string error) = await Shell.RunAsync("""
            {"gold":"1/2","answer":"<think>hm</think> So \\boxed{0.5}."}
            {"gold":"12","answer":"13"}
            {"gold":"7","answer":"<think>endless"}

            """, "verify");
        Assert.That((code, error), Is.EqualTo((0, "")));
        Assert.That(output, Is.EqualTo("""
            {"correct":true,"gold":"1/2","answer":"0.5"}
            {"correct":false,"gold":"12","answer":"13"}
            {"correct":false,"gold":"7","answer":null}

            """));
    }

    [Test]
    public async Task A_bad_line_is_named_after_the_good_and_the_blank_ones_before_it()
    {
        (int code, string output, string error) = await Shell.RunAsync("{\"gold\":\"1\",\"answer\":\"1\"}\n\r\n{\"gold\":\"1\"}\n", "verify");
        Assert.That(code, Is.EqualTo(1));
        Assert.That(output, Does.StartWith("{\"correct\":true"));
        Assert.That(error, Does.StartWith("luffy: standard input:3: 'answer' is missing"));
    }

    [Test]
    public async Task A_missing_file_is_named()
    {
        (int code, _, string error) = await Shell.RunAsync("", "verify", "--input", "no/such.jsonl");
        Assert.That(code, Is.EqualTo(1));
        Assert.That(error, Does.Contain("no/such.jsonl"));
    }
}
