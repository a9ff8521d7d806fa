using System.Text.Json;
using Luffy.Engine.Configuration;
using Luffy.Engine.Evaluation;
using Luffy.Engine.Model;

namespace Luffy.Engine.Tests.Rl;

/// <summary>What a run saves is a model directory that stands for itself: everything of the first one, and what the run said instead.</summary>
public sealed class SavedModelTests : TrainingRunFixture
{
    [Test]
    public void A_checkpoint_has_the_overrides_and_every_file_that_belongs_to_the_model()
    {
        File.WriteAllText(Path.Combine(ModelDirectory, "generation_config.json"), "{\"eos_token_id\": [1, 2], \"temperature\": 0.6}\n");
        File.WriteAllText(Path.Combine(ModelDirectory, "merges.txt"), "#version: 0.2\n");
        File.WriteAllText(Path.Combine(ModelDirectory, "README.md"), "of the base model\n");
        Directory.CreateDirectory(Path.Combine(ModelDirectory, "additional_chat_templates"));
        File.WriteAllText(Path.Combine(ModelDirectory, "additional_chat_templates", "tools.jinja"), "{{ messages }}");

        Execute("run", ["max_steps=2", "rope_theta=40000", "max_position_embeddings=250"]);
        string saved = Checkpoint("run");
        foreach (string file in new[] { "generation_config.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", Path.Combine("additional_chat_templates", "tools.jinja") })
            Assert.That(File.ReadAllBytes(Path.Combine(saved, file)), Is.EqualTo(File.ReadAllBytes(Path.Combine(ModelDirectory, file))), file);
        Assert.That(File.Exists(Path.Combine(saved, "README.md")), Is.False);
        TransformerConfig before = TransformerConfig.Load(ModelDirectory), after = TransformerConfig.Load(saved);
        Assert.That(after, Is.EqualTo(before with { RopeTheta = 40000, MaxPositions = 250 }));
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(Path.Combine(saved, "config.json")));
        Assert.That(config.RootElement.GetProperty("torch_dtype").GetString(), Is.EqualTo("float32"));
        Assert.That(config.RootElement.GetProperty("eos_token_id").GetInt32(), Is.EqualTo(JsonDocument.Parse(File.ReadAllText(Path.Combine(ModelDirectory, "config.json"))).RootElement.GetProperty("eos_token_id").GetInt32()));
    }

    [Test]
    public void The_template_of_the_run_takes_the_place_of_the_models_own()
    {
        File.WriteAllText(Path.Combine(ModelDirectory, "chat_template.jinja"), "{{ messages[0].content }} of the model");
        string path = Path.Combine(Folder, "template.jinja");
        File.WriteAllText(path, "{{ messages[0].content }} of the run\n");
        Execute("own", ["max_steps=2"]);
        Execute("replaced", ["max_steps=2", $"chat_template={path}"]);
        Assert.That(File.ReadAllText(Path.Combine(Checkpoint("own"), "chat_template.jinja")), Does.EndWith("of the model"));
        Assert.That(File.ReadAllText(Path.Combine(Checkpoint("replaced"), "chat_template.jinja")), Is.EqualTo(File.ReadAllText(path)));
    }

    [Test]
    public void A_window_that_is_too_short_for_the_run_is_refused() =>
        Assert.That(() => Execute("run", ["max_steps=1", "max_position_embeddings=64"]), Throws.InstanceOf<LuffyException>().With.Message.Contains("window of 64"));

    // What was sampled with the overrides must score the same from the checkpoint alone.
    [TestCase("f32")]
    [TestCase("bf16")]
    public void A_checkpoint_scores_as_the_run_that_goes_on_from_it(string dtype)
    {
        Execute("run", [$"dtype={dtype}", "max_steps=2", "save_steps=1", "rope_theta=40000", "num_iterations=1"]);
        string first = Path.Combine(Folder, "run", "checkpoints", "step-000001"), input = Path.Combine(Folder, "ids.jsonl");
        JsonElement[] rows = [.. Rollouts("run", 2).Where(r => r.GetProperty("source").GetString() == "on")];
        File.WriteAllLines(input, rows.Select(r => $"{{\"ids\":{Ids(r)}}}"));
        using var output = new StringWriter();
        SequenceScoring.Run(first, input, output, new ModelOptions { Backend = "cpu", Dtype = dtype == "f32" ? StorageType.F32 : StorageType.Bf16 });
        string[] lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines, Has.Length.EqualTo(rows.Length).And.Not.Empty);
        for (int i = 0; i < rows.Length; i++)
        {
            float[] sampled = [.. rows[i].GetProperty("old_logprobs").EnumerateArray().Select(v => v.GetSingle())];
            float[] scored = [.. JsonDocument.Parse(lines[i]).RootElement.GetProperty("logprobs").EnumerateArray().Select(v => v.GetSingle())];
            Assert.That(scored[^sampled.Length..], Is.EqualTo(sampled), $"row {i}");
        }
    }
}
