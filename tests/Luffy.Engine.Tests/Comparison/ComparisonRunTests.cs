using System.Text.Json;
using Luffy.Engine.Comparison;
using Luffy.Engine.Configuration;
using Luffy.Engine.Reporting;
using Luffy.Engine.Tests.Rl;

namespace Luffy.Engine.Tests.Comparison;

/// <summary>A whole comparison of two methods and two seeds, a few steps each, of a tiny random model.</summary>
public sealed class ComparisonRunTests : TrainingRunFixture
{
    private string Output => Path.Combine(Folder, "out");

    private ComparisonRun Prepare(params string[] set)
    {
        string file = Path.Combine(Folder, "c.yaml");
        File.WriteAllText(file, $$"""
            methods: [sft, luffy]
            seeds: 2
            baselines: [luffy]
            learning_rates: [1e-4, 1e-3]
            bootstrap_draws: 100
            train:
              model_name_or_path: {{ModelDirectory}}
              backend: cpu
              dtype: f32
              prompts_per_step: 2
              num_generations: 4
              max_prompt_length: 100
              max_completion_length: 60
              drop_wrong_demonstrations: false
              rollout_batch_size: 8
              tasks_per_family: 3
              eval_items_per_family: 1
              eval_samples: 2
              mini_batches: 1
              max_steps: 2
              eval_steps: 1
              save_steps: 1
              task_level: 1
            """);
        return ComparisonRun.Prepare(new ComparisonRequest { ConfigPath = file, Output = Output, Overrides = [.. set.Select(ConfigurationOverride.Parse)], CommandLine = "luffy compare --config c.yaml" });
    }

    private static RunConsole Console(TextWriter writer) => new(writer, live: false, quiet: false);

    [Test]
    public void A_comparison_trains_what_is_missing_and_writes_what_came_of_it()
    {
        using var said = new StringWriter();
        ComparisonRun run = Prepare();
        ComparisonResults results = run.Execute(Console(said), CancellationToken.None);
        (string markdown, string json) = run.Write(results, Console(said));
        Assert.That(results.Methods.Select(m => (m.Name, m.Runs.Count)), Is.EqualTo(new[] { ("sft", 2), ("luffy", 2) }));
        Assert.That(results.Tuning.Select(t => t.Accuracies.Count), Is.All.EqualTo(2));
        // A random model solves nothing, so that both rates are as good: the smaller one is taken.
        Assert.That(results.Methods.Select(m => m.LearningRate), Is.All.EqualTo(1e-4));
        Assert.That(results.Methods[1].Runs.Select(r => r.Summary.SampledTokens), Is.Unique.And.All.Positive, "seeds sample differently");
        Assert.That(File.ReadAllText(Path.Combine(Output, "results.md")), Is.EqualTo(markdown));
        Assert.That(markdown, Does.Contain("Made by `luffy compare --config c.yaml`").And.Contain("| luffy           |     2 |").And.Contain("## Differences from luffy"));
        foreach (string plot in (string[])["validation", "reward", "entropy", "length", "on-policy-logprob", "off-policy-logprob"])
        {
            Assert.That(markdown, Does.Contain($"](plots/{plot}.png)"));
            Assert.That(File.ReadAllBytes(Path.Combine(Output, "plots", plot + ".png"))[..4], Is.EqualTo(new byte[] { 0x89, (byte)'P', (byte)'N', (byte)'G' }));
            Assert.That(File.ReadAllText(Path.Combine(Output, "plots", plot + ".svg")), Does.Contain("<svg").And.Contain("<path"));
        }
        using JsonDocument read = JsonDocument.Parse(json);
        Assert.That(read.RootElement.GetProperty("methods")[0].GetProperty("runs")[1].GetProperty("summary").GetProperty("seed").GetInt64(), Is.EqualTo(2));
        Assert.That(said.ToString(), Does.Contain("4 of 4 runs to make").And.Contain("5 of 5 runs to make").And.Contain("left"));

        // Called again it finds all there, and says the same.
        DateTime written = File.GetLastWriteTimeUtc(Path.Combine(Output, "cells", "luffy", "seed-2", "summary.json"));
        using var again = new StringWriter();
        (string second, _) = Prepare().Write(Prepare().Execute(Console(again), CancellationToken.None), Console(again));
        Assert.That((second, again.ToString()), Is.EqualTo((markdown, "")));
        Assert.That(File.GetLastWriteTimeUtc(Path.Combine(Output, "cells", "luffy", "seed-2", "summary.json")), Is.EqualTo(written));

        // A key that changes a result is refused and named; one that does not is not.
        Assert.That(() => Prepare("temperature=0.9").Execute(Console(again), CancellationToken.None),
            Throws.TypeOf<LuffyException>().With.Message.Contains("temperature is 1 there and 0.9 now"));
        Assert.That(() => Prepare("threads=1").Execute(Console(again), CancellationToken.None), Throws.Nothing);
        // A further method is trained beside those that are there.
        Assert.That(Prepare("methods=[sft, luffy, grpo]").Describe().Count(l => !l.EndsWith("(finished)", StringComparison.Ordinal)), Is.EqualTo(4));
    }

    [Test]
    public void An_interrupted_comparison_goes_on_to_the_same_results()
    {
        string[] settings = ["methods=[luffy]", "baselines=[]", "learning_rates=null", "seeds=1", "max_steps=3"];
        using var said = new StringWriter();
        using var source = new CancellationTokenSource();
        // As soon as the first step of the method's run has been saved.
        string checkpoints = Path.Combine(Output, "cells", "luffy", "seed-1", "checkpoints");
        using var watcher = new Timer(_ => { if (Directory.Exists(Path.Combine(checkpoints, "step-000001"))) source.Cancel(); }, null, 0, 1);
        Assert.That(() => Prepare(settings).Execute(Console(said), source.Token), Throws.InstanceOf<OperationCanceledException>());
        watcher.Change(Timeout.Infinite, Timeout.Infinite);
        Assert.That(File.Exists(Path.Combine(checkpoints, "..", "summary.json")), Is.False);
        ComparisonResults resumed = Prepare(settings).Execute(Console(said), CancellationToken.None);
        Assert.That(File.ReadAllText(Path.Combine(Output, "cells", "luffy", "seed-1.log")), Does.Contain("resumed from step"));
        Directory.Delete(Output, recursive: true);
        ComparisonResults whole = Prepare(settings).Execute(Console(said), CancellationToken.None);
        Assert.That(resumed.Methods[0].Runs[0].Scores, Is.EqualTo(whole.Methods[0].Runs[0].Scores));
        Assert.That(resumed.Methods[0].Runs[0].Summary.SampledTokens, Is.EqualTo(whole.Methods[0].Runs[0].Summary.SampledTokens));
    }

    [Test]
    public void Analyses_are_measured_once_and_take_runs_that_are_there()
    {
        string[] settings = ["methods=[luffy]", "learning_rates=null", "seeds=1", "baselines=[luffy]", "eval_samples=0", "ablations.gamma.method=luffy", "ablations.gamma.key=off_policy_gamma",
            "ablations.gamma.values=[0.1, 0.3]", "pass_at_k.temperatures=[0.5, 1]", "pass_at_k.samples=4"];
        using var said = new StringWriter();
        ComparisonRun run = Prepare(settings);
        ComparisonResults results = run.Execute(Console(said), CancellationToken.None);
        // 0.1 is what luffy has anyway.
        Assert.That(Directory.GetDirectories(Path.Combine(Output, "ablations", "gamma")).Select(Path.GetFileName), Is.EqualTo(new[] { "0.3" }));
        Assert.That(results.Ablations.Single().Values.Select(v => v.Name), Is.EqualTo(new[] { "0.1", "0.3" }));
        Assert.That(results.PassAtK.Select(p => (p.Temperature, p.PassAt.Count)), Is.EqualTo(new[] { (0.5, 3), (0.5, 3), (1.0, 3), (1.0, 3) }));
        Assert.That(results.Similarity.Select(s => s.Method), Is.EqualTo(new[] { "base", "luffy" }));
        Assert.That(results.Similarity[1].ByCategory.Values, Is.All.InRange(0.001, 0.6), "a random model writes little that a teacher would");
        (string markdown, _) = run.Write(results, Console(said));
        Assert.That(markdown, Does.Contain("## Ablation: gamma").And.Contain("| luffy  |         0.5 |").And.Contain("## Similarity to the demonstrations"));

        using var again = new StringWriter();
        Prepare(settings).Execute(Console(again), CancellationToken.None);
        Assert.That(again.ToString(), Is.Empty);
    }

    [Test]
    public void Runs_that_fail_are_named_when_the_others_are_done()
    {
        using var said = new StringWriter();
        // Demonstrations that are too long are none, and imitation has nothing to learn from.
        LuffyException e = Assert.Throws<LuffyException>(() => Prepare("learning_rates=null", "seeds=1", "max_completion_length=4").Execute(Console(said), CancellationToken.None))!;
        Assert.That(e.Message, Does.StartWith("2 of 3 runs failed").And.Contain("sft, seed 1: ").And.Contain("no demonstration is left"));
        Assert.That(File.Exists(Path.Combine(Output, "cells", "base", "summary.json")));
        // What began and failed before its first step leaves nothing that would be taken for a run.
        Assert.That(Directory.Exists(Path.Combine(Output, "cells", "sft", "seed-1")), Is.False);
    }
}
