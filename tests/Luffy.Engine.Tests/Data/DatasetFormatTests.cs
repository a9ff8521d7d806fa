using System.IO.Compression;
using System.Text;
using Luffy.Engine.Configuration;
using Luffy.Engine.Data;

namespace Luffy.Engine.Tests.Data;

/// <summary>What files there are, and how their columns are recognised.</summary>
public sealed class DatasetFormatTests
{
    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("luffy-test-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    private string Write(string name, string text)
    {
        string path = Path.Combine(folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    private static PromptExample[] Load(string name) => [.. DatasetReader.Load(new DataOptions { DatasetName = name })];

    private static string Message(string name) => Assert.Throws<LuffyException>(() => Load(name))!.Message;

    [Test]
    public void An_array_of_rows_is_read_item_by_item()
    {
        // Longer than the buffer that it is read through, so that items lie across its ends.
        string rows = string.Join(",\n", Enumerable.Range(1, 3000).Select(i => $$"""  {"prompt": "Q{{i}} {{new string('é', i % 97)}}", "answer": {{i}}, "more": [[{}]]}"""));
        string path = Write("data.json", $"\uFEFF [\n{rows}\n]\n\n");
        var reader = DatasetReader.Open(new DataOptions { DatasetName = path });
        PromptExample[] examples = [.. reader.Read()];
        Assert.That(reader.Format, Is.EqualTo("JSON"));
        Assert.That(examples.Select(e => (e.Id, e.Answer, e.Messages[0].Content.Split(' ')[0])), Is.EqualTo(Enumerable.Range(1, 3000).Select(i => ($"{i}", $"{i}", $"Q{i}"))));
    }

    [TestCase("""[{"prompt":"Q","answer":"1"},""", "the file ends at byte 29 within the array, after 1 whole rows")]
    [TestCase("""[{"prompt":"Q","answer":"1"},{"prompt":""", "the file ends at byte 39 within the array")]
    [TestCase("""[{"prompt":"Q","answer":"1"}] x""", "found further text at byte 30")]
    [TestCase("""[{"prompt":"Q","answer":"1"},{"prompt"}]""", "row 2: found malformed JSON")]
    [TestCase("""[{"prompt":"Q","answer":"1"},5]""", "row 2: found 5, expected a JSON object")]
    [TestCase("[]", "the dataset is empty")]
    public void A_malformed_array_is_reported_with_its_place(string text, string expected) => Assert.That(Message(Write("data.json", text)), Does.Contain(expected));

    [Test]
    public void Packed_files_folders_and_patterns_are_read()
    {
        string row(int i) => $$"""{"prompt":"Q","answer":"{{i}}"}""" + "\n";
        Write("data/train-00001-of-00002.jsonl", row(2) + row(3));
        Write("data/train-00000-of-00002.jsonl", row(1));
        Write("dataset_info.json", "{}");
        using (var packed = new GZipStream(File.Create(Path.Combine(folder, "one.jsonl.gz")), CompressionMode.Compress)) packed.Write(Encoding.UTF8.GetBytes(row(9)));
        Assert.Multiple(() =>
        {
            Assert.That(Load(Path.Combine(folder, "one.jsonl.gz")).Single().Answer, Is.EqualTo("9"));
            Assert.That(Load(Path.Combine(folder, "data", "train-*.jsonl")).Select(e => $"{e.Id} {e.Answer}"), Is.EqualTo((string[])["train-00000-of-00002.jsonl:1 1", "train-00001-of-00002.jsonl:1 2", "train-00001-of-00002.jsonl:2 3"]));
            Assert.That(Load(Path.Combine(folder, "**", "train-*1-of-0000?.jsonl")).Select(e => e.Answer), Is.EqualTo((string[])["2", "3"]));
            Assert.That(Load(Path.Combine(folder, "data")).Select(e => e.Answer), Is.EqualTo((string[])["1", "2", "3"]));
            Assert.That(Message(Path.Combine(folder, "*.parquet")), Does.Contain("found no file that matches"));
        });
        Write("data/test-00000.jsonl", row(4));
        Assert.That(Message(Path.Combine(folder, "data")), Does.Contain("files of several splits (test, train)"));
        Directory.CreateDirectory(Path.Combine(folder, "empty"));
        Assert.That(Message(Path.Combine(folder, "empty")), Does.Contain("found no data file"));
    }

    [TestCase("""{"problem":"P","answer":"5","solution":"S","generations":["<think>\na</think>\\boxed{5}","b","c"],"correctness_math_verify":[true,false,true],"is_reasoning_complete":[true,true,null],"source":"aops"}""",
        "aops|P|5|<think>\na</think>\\boxed{5};c|1")]
    [TestCase("""{"question":"Q","answer":"2*3=<<2*3=6>>6\n#### 6"}""", "data|Q|6|2*3=6\n</think>\n\n\\boxed{6}|0")]
    [TestCase("""{"question":"Q","answer":"6"}""", "data|Q|6||0")]
    [TestCase("""{"problem":"P","solution":"$\\boxed{2}$ and $\\boxed{3}$"}""", "data|P|2, 3|$\\boxed{2}$ and $\\boxed{3}$\n</think>\n\n\\boxed{2, 3}|0")]
    [TestCase("""{"problem":"P","solution":"So \\boxed{\\frac{1}{2}}.","level":"1"}""", "data|P|\\frac{1}{2}|So \\boxed{\\frac{1}{2}}.\n</think>\n\n\\boxed{\\frac{1}{2}}|0")]
    [TestCase("""{"messages":[{"role":"user","content":"Q"},{"role":"assistant","content":"A"}],"answer":7}""", "data|Q|7||0")]
    [TestCase("""{"prompt":[{"role":"user","content":"Q"}],"reward_model":{"ground_truth":[1,"one"]},"target":[{"role":"assistant","content":"T"}],"data_source":"s"}""", "s|Q|1,one|T|0")]
    public void Layouts_of_known_datasets_are_recognised(string row, string expected)
    {
        PromptExample e = Load(Write("data.jsonl", row)).Single();
        Assert.That($"{e.Source}|{e.Messages.Single().Content}|{string.Join(",", e.AlternativeAnswers.Prepend(e.Answer))}|{string.Join(";", e.Demonstrations)}|{e.FlaggedDemonstrations}", Is.EqualTo(expected));
    }

    [Test]
    public void Named_columns_come_before_recognised_ones()
    {
        string path = Write("data.jsonl", """{"question":"Q","answer":"a\n#### 6","worked":"W"}""");
        var options = new DataOptions { DatasetName = path, Columns = new ColumnOptions { Demonstration = "worked" } };
        Assert.That(DatasetReader.Load(options).Single().Demonstrations, Is.EqualTo((string[])["W"]));
        var named = new DataOptions { DatasetName = path, Columns = new ColumnOptions { Prompt = "question" } };
        Assert.That(DatasetReader.Load(named).Single().Answer, Is.EqualTo("a\n#### 6"));
        Assert.That(DatasetReader.Open(named).Layout, Is.EqualTo("columns as configured: prompt from question, answer from answer"));
    }

    [Test]
    public void Rows_of_other_data_sources_are_left_out()
    {
        string path = Write("data.jsonl", """
            {"prompt":"Q","answer":"1","source":"a"}
            {"prompt":"Q","answer":"2","source":"b"}
            {"prompt":"Q","answer":"3","source":"a"}
            """);
        var reader = DatasetReader.Open(new DataOptions { DatasetName = path, DataSources = ["b"] });
        Assert.That(reader.Read().Select(e => e.Answer), Is.EqualTo((string[])["2"]));
        Assert.That(reader.OtherSources, Is.EqualTo(2));
        Assert.That(() => DatasetReader.Load(new DataOptions { DatasetName = path, DataSources = ["c"] }), Throws.InstanceOf<LuffyException>().With.Message.Contains("found the data sources a, b"));
    }

    [Test]
    public void Recorded_log_probs_come_with_their_demonstrations()
    {
        string path = Write("data.jsonl", """
            {"prompt":"Q","answer":"1","d":["x"," ","y"],"q":[[-0.5,null],[-1],null]}
            {"prompt":"Q","answer":"1","d":[5,6],"q":[-0.25,-1]}
            {"prompt":"Q","answer":"1","d":"x"}
            """);
        var options = new DataOptions { DatasetName = path, Columns = new ColumnOptions { Demonstration = "d", DemonstrationLogprobs = "q" } };
        PromptExample[] examples = [.. DatasetReader.Load(options)];
        Assert.That(examples[0].DemonstrationLogProbs, Is.EqualTo((float[]?[])[[-0.5f, float.NaN], null]));
        Assert.That(examples[1].DemonstrationLogProbs, Is.EqualTo((float[]?[])[[-0.25f, -1]]));
        Assert.That(examples[2].DemonstrationLogProbs, Is.Empty);
        Assert.That(() => DatasetReader.Load(options with { DatasetName = Write("bad.jsonl", """{"prompt":"Q","answer":"1","d":["x","y"],"q":[[-1]]}""") }),
            Throws.InstanceOf<LuffyException>().With.Message.Contains("q: found 1 lists, expected 2"));
    }
}
