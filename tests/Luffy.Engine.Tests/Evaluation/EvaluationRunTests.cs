using Luffy.Engine.Configuration;
using Luffy.Engine.Evaluation;
using Luffy.Engine.Reporting;

namespace Luffy.Engine.Tests.Evaluation;

/// <summary>The built-in model on a small file, with samples, repeated rows, responses and an interruption.</summary>
public sealed class EvaluationRunTests
{
    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("luffy-test-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    private string Responses => Path.Combine(folder, "responses.jsonl");

    private EvaluationRunOptions Options(int samples = 0)
    {
        string file = Path.Combine(folder, "data.jsonl");
        string twice = """{"prompt":"3 + 4","answer":"7","source":"aime"}""";
        File.WriteAllLines(file, [twice, """{"prompt":"12 + 30","answer":"42","source":"math"}""", twice, """{"prompt":"5 + 5","answer":"10","source":"math"}""", twice]);
        return new EvaluationRunOptions { ModelDirectory = "builtin", Data = new DataOptions { DatasetName = file }, Samples = samples, MaxNewTokens = 12, Temperature = 3, Output = Responses, Batch = 3 };
    }

    private static EvaluationOutcome Run(EvaluationRunOptions options, StringWriter? said = null, CancellationToken cancellation = default) =>
        EvaluationRun.Execute(options, new ModelOptions { Backend = "cpu" }, new RunConsole(said ?? new StringWriter(), live: false, quiet: said is null), cancellation);

    [Test]
    public void Repeated_rows_are_samples_of_one_problem()
    {
        using var said = new StringWriter();
        EvaluationOutcome outcome = Run(Options(), said);
        Assert.That(said.ToString(), Does.Contain("aime: 1 problems stand in the file 3 times each, so each is sampled 3 times"));
        Assert.That(outcome.Graded.Select(g => (g.Item, g.Sample)), Is.EqualTo(((int, int)[])[(0, -1), (0, 0), (0, 1), (0, 2), (1, -1), (2, -1)]));
        Assert.That(outcome.Sources.Select(s => (s.Source, s.Problems, s.Samples)), Is.EqualTo(((string, int, int)[])[("aime", 1, 3), ("math", 2, 0), ("id_mean", 3, 0)]));
        // Each sample has a seed of its own.
        Assert.That(outcome.Graded.Where(g => g.Sample >= 0).Select(g => string.Join(',', g.Ids)).Distinct().Count(), Is.GreaterThan(1));
        Assert.That(Run(Options(2) with { Greedy = false, Output = null }).Graded.Select(g => (g.Item, g.Sample)),
            Is.EqualTo(((int, int)[])[(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (1, 0), (1, 1), (2, 0), (2, 1)]));
    }

    [Test]
    public void An_interrupted_evaluation_goes_on_to_the_same_responses()
    {
        EvaluationOutcome whole = Run(Options(2));
        string[] expected = File.ReadAllLines(Responses);
        Assert.That(expected, Has.Length.EqualTo(whole.Graded.Count));
        Assert.That(expected[0], Does.StartWith("{\"item\":0,\"id\":\"1\",\"data_source\":\"aime\",\"sample\":-1,\"gold\":\"7\"").And.Contain("\"length\":").And.Contain("\"truncated\":").And.Contain("\"text\":").And.Contain("\"ids\":["));
        File.Delete(Responses);

        using var source = new CancellationTokenSource();
        string partial = Responses + ".partial";
        using var said = new StringWriter();
        // Stopped from beside, as a signal would, as soon as some responses are there.
        var stopper = Task.Run(() =>
        {
            while (!File.Exists(partial) || new FileInfo(partial).Length < 1500) Thread.Sleep(1);
            source.Cancel();
        });
        bool stopped = false;
        try
        {
            Run(Options(2), said, source.Token);
        }
        catch (OperationCanceledException)
        {
            stopped = true;
            Assert.That(File.Exists(Responses), Is.False);
            Assert.That(said.ToString(), Does.Contain("the same command goes on from there"));
        }

        stopper.Wait();
        if (stopped)
        {
            // As a killed process leaves it: the last line half written.
            File.AppendAllText(partial, "{\"item\":0,\"id\"");
            Assert.That(() => Run(Options(2) with { Temperature = 0.5 }), Throws.InstanceOf<LuffyException>().With.Message.Contains("whose temperature was 3, expected 0.5"));
            Run(Options(2));
        }

        Assert.That(File.ReadAllLines(Responses), Is.EqualTo(expected));
        Assert.That(File.Exists(partial), Is.False);
    }

    [Test]
    public void Items_are_limited_and_system_messages_replaced()
    {
        EvaluationOutcome outcome = Run(Options() with { ItemsPerSource = 1, SystemPrompt = "Be brief.", Output = null });
        Assert.That(outcome.Prompts.Select(p => p.Example.Id), Is.EqualTo((string[])["1", "2"]));
        Assert.That(outcome.Prompts, Has.All.Matches<Engine.Data.TokenizedPrompt>(p => p is { Example.Messages: [{ Role: "system", Content: "Be brief." }, { Role: "user" }] }));
        Assert.That(() => Run(Options() with { Greedy = false, ItemsPerSource = 0, Data = Options().Data with { DataSources = ["math"] } }), Throws.InstanceOf<LuffyException>().With.Message.Contains("--samples 1"));
    }
}
