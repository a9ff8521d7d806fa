using Luffy.Engine.Configuration;
using Luffy.Engine.Data;

namespace Luffy.Engine.Tests.Data;

public sealed class DatasetReaderTests
{
    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("luffy-test-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    private DataOptions Options(params string[] lines)
    {
        string file = Path.Combine(folder, "data.jsonl");
        File.WriteAllLines(file, lines);
        return new DataOptions { DatasetName = file };
    }

    [Test]
    public void Columns_are_mapped_by_dotted_paths()
    {
        var options = Options("""{"data_source":"aime","prompt":[{"role":"system","content":"S"},{"role":"user","content":"Q"}],"reward_model":{"ground_truth":204},"target":[{"role":"assistant","content":"D"}],"extra_info":{"index":7}}""") with
        {
            Columns = new ColumnOptions { Prompt = "prompt", Answer = "reward_model.ground_truth", Demonstration = "target", Id = "extra_info.index", Source = "data_source" },
            SystemPrompt = "think",
        };
        var example = DatasetReader.Load(options).Single();
        Assert.Multiple(() =>
        {
            Assert.That((example.Id, example.Source, example.Answer), Is.EqualTo(("7", "aime", "204")));
            Assert.That(example.Messages, Is.EqualTo((ChatMessage[])[new("system", "S"), new("user", "Q")]));
            Assert.That(example.Demonstrations, Is.EqualTo((string[])["D"]));
        });
    }

    [Test]
    public void Bytes_that_are_no_text_are_named_with_their_place()
    {
        DataOptions options = Options();
        File.WriteAllBytes(options.DatasetName, [.. "\n{\"prompt\":\""u8, 0xFF, .. "\",\"answer\":\"5\"}\n"u8]);
        Assert.That(() => DatasetReader.Load(options), Throws.InstanceOf<LuffyException>().With.Message.EqualTo($"{options.DatasetName}:2: found bytes that are no UTF-8 at byte 11; expected UTF-8 text"));
    }

    [Test]
    public void Half_a_surrogate_pair_is_named_with_its_place()
    {
        DataOptions options = Options("""{"prompt":"\ud800","answer":"5"}""");
        Assert.That(() => DatasetReader.Load(options), Throws.InstanceOf<LuffyException>().With.Message.StartsWith($"{options.DatasetName}:1: the string at byte 10"));
    }

    [Test]
    public void What_is_not_mapped_has_plain_defaults()
    {
        var example = DatasetReader.Load(Options("", """{"prompt":"Q","answer":"5"}""") with { SystemPrompt = "think" }).Single();
        Assert.That((example.Id, example.Source, example.Answer), Is.EqualTo(("2", "data", "5")));
        Assert.That(example.Messages, Is.EqualTo((ChatMessage[])[new("system", SystemPrompts.Think), new("user", "Q")]));
        Assert.That(example.Demonstrations, Is.Empty);
    }

    [Test]
    public void A_worked_solution_becomes_a_demonstration()
    {
        var options = Options("""{"question":"Q","answer":"She sold 48/2 = <<48/2=24>>24 {clips}.\nSo 72.\n#### 72"}""") with
        {
            Columns = new ColumnOptions { Prompt = "question", Answer = "answer", Demonstration = "answer" },
            AnswerAfter = "####",
            DemonstrationTemplate = "{demonstration}\n</think>\n\n\\boxed{answer}",
        };
        var example = DatasetReader.Load(options).Single();
        Assert.That(example.Answer, Is.EqualTo("72"));
        Assert.That(example.Demonstrations.Single(), Is.EqualTo("She sold 48/2 = 24 {clips}.\nSo 72.\n</think>\n\n\\boxed{72}"));
        var doubled = DatasetReader.Load(options with { DemonstrationTemplate = "{demonstration}</think>\\boxed{{answer}}" }).Single();
        Assert.That(doubled.Demonstrations.Single(), Does.EndWith("</think>\\boxed{72}"));
    }

    [Test]
    public void An_answer_pattern_finds_the_last_match()
    {
        var options = Options("""{"prompt":"Q","answer":"= 3, = 4"}""") with { AnswerPattern = "= ([0-9]+)" };
        Assert.That(DatasetReader.Load(options).Single().Answer, Is.EqualTo("4"));
    }

    [TestCase("\"text\"", "text")]
    [TestCase("[\"a\",\"b\"]", "a|b")]
    [TestCase("[1,2]", "1,2")]
    [TestCase("[[1,2],[3]]", "1,2|3")]
    [TestCase("null", "")]
    [TestCase("[]", "")]
    public void A_demonstration_comes_as_text_or_ids(string json, string expected)
    {
        var options = Options($$"""{"prompt":"Q","answer":"5","d":{{json}}}""", """{"prompt":"Q","answer":"5","d":"other"}""") with
        {
            Columns = new ColumnOptions { Demonstration = "d" },
        };
        var example = DatasetReader.Load(options)[0];
        Assert.That(string.Join('|', example.Demonstrations.Concat(example.DemonstrationIds.Select(ids => string.Join(',', ids)))), Is.EqualTo(expected));
    }

    [TestCase("{\"prompt\":", ":2: found malformed JSON")]
    [TestCase("[1]", ":2: found [1], expected a JSON object")]
    [TestCase("{}", ":2: answer: found nothing, expected a text or a number")]
    [TestCase("""{"answer":"1"}""", ":2: prompt: found nothing")]
    [TestCase("""{"prompt":"","answer":"1"}""", ":2: prompt: found \"\"")]
    [TestCase("""{"prompt":[{"role":"user"}],"answer":"1"}""", "expected a message with a text \"role\"")]
    [TestCase("""{"prompt":"Q","answer":true}""", ":2: answer: found true")]
    [TestCase("""{"prompt":"Q","answer":" "}""", "a gold answer that is not empty")]
    [TestCase("""{"prompt":"Q","answer":"1","d":5}""", ":2: d: found 5, expected a text, a list of texts")]
    [TestCase("""{"prompt":"Q","answer":"1","d":[1,"x"]}""", "expected an id")]
    [TestCase("""{"prompt":"Q","answer":"1","id":"one"}""", "found the id \"one\" of line 1 again")]
    public void A_malformed_row_is_reported_with_file_and_line(string row, string expected)
    {
        var options = Options("""{"prompt":"Q","answer":"1","d":"x","id":"one"}""", row) with { Columns = new ColumnOptions { Demonstration = "d", Id = row.Contains("\"id\"", StringComparison.Ordinal) ? "id" : null } };
        var error = Assert.Throws<LuffyException>(() => DatasetReader.Load(options))!;
        Assert.That(error.ExitCode, Is.EqualTo(1));
        Assert.That(error.Message, Does.StartWith(options.DatasetName).And.Contain(expected));
    }

    [Test]
    public void Missing_empty_and_foreign_files_are_reported()
    {
        string Message(DataOptions options) => Assert.Throws<LuffyException>(() => DatasetReader.Load(options))!.Message;
        Assert.Multiple(() =>
        {
            Assert.That(Message(new DataOptions { DatasetName = "no-such.jsonl" }), Does.StartWith("no-such.jsonl: cannot be read"));
            Assert.That(Message(Options()), Does.Contain("the dataset is empty"));
            Assert.That(Message(Options("PAR1....")), Does.Contain("damaged Parquet data"));
            Assert.That(Message(Options("ARROW1..")), Does.Contain("found an Arrow file").And.Contain("to_parquet()"));
            Assert.That(Message(Options("""{"text":"Q"}""")), Does.Contain("found the columns text, which are of no layout known here; set columns.prompt"));
            Assert.That(Message(Options("""{"prompt":"Q","answer":"1"}""") with { Columns = new ColumnOptions { Demonstration = "zz" } }), Does.Contain("found no row with \"zz\""));
            Assert.That(Message(Options("""{"prompt":"Q","answer":"1"}""") with { AnswerAfter = "####" }), Does.Contain("answer: found \"1\", expected a text with \"####\""));
        });
    }

    [Test]
    public void Options_that_contradict_each_other_are_wrong_usage()
    {
        var options = Options("""{"prompt":"Q","answer":"1"}""");
        foreach (var wrong in (DataOptions[])[
            options with { AnswerAfter = "#", AnswerPattern = "x" },
            options with { AnswerPattern = "(" },
            options with { DemonstrationTemplate = "{demonstration}" },
            options with { Columns = new ColumnOptions { DemonstrationLogprobs = "q" } },
            options with { DemonstrationTemplate = "nothing", Columns = new ColumnOptions { Demonstration = "answer" } }])
            Assert.That(Assert.Throws<LuffyException>(() => DatasetReader.Load(wrong))!.ExitCode, Is.EqualTo(2));
    }
}
