using System.Text.Json;
using Luffy.Engine.Text;

namespace Luffy.Engine.Tests.Rl;

/// <summary>What ends a completion: the tokenizer's end-of-text, and what generation_config.json names beside it.</summary>
[TestFixture]
public sealed class StopTokensTests : TrainingRunFixture
{
    private string ConfigPath => Path.Combine(ModelDirectory, "generation_config.json");

    [TestCase(null, new int[0])]
    [TestCase("""{"temperature": 0.6}""", new int[0])]
    [TestCase("""{"eos_token_id": null}""", new int[0])]
    [TestCase("""{"eos_token_id": 5}""", new[] { 5 })]
    [TestCase("""{"eos_token_id": [7, 5, 7]}""", new[] { 7, 5 })]
    public void Are_those_of_both_files(string? config, int[] further)
    {
        if (config is not null) File.WriteAllText(ConfigPath, config);
        BpeTokenizer tokenizer = BpeTokenizer.Load(ModelDirectory);
        Assert.That(StopTokens.Of(ModelDirectory, tokenizer), Is.EqualTo((int[])[tokenizer.EndOfTextId, .. further]));
    }

    [TestCase("""{"eos_token_id": "x"}""", "\"x\"")]
    [TestCase("""{"eos_token_id": [1, 99999]}""", "99999")]
    [TestCase("""{"eos_token_id": -1}""", "-1")]
    [TestCase("[]", "JSON object")]
    public void A_wrong_file_is_refused_with_its_place(string config, string named)
    {
        File.WriteAllText(ConfigPath, config);
        BpeTokenizer tokenizer = BpeTokenizer.Load(ModelDirectory);
        Assert.That(() => StopTokens.Of(ModelDirectory, tokenizer), Throws.TypeOf<LuffyException>().With.Message.Contains(ConfigPath).And.Message.Contains(named));
    }

    [Test]
    public void End_samples_and_are_no_part_of_their_text()
    {
        BpeTokenizer tokenizer = BpeTokenizer.Load(ModelDirectory);
        int stop = tokenizer.Encode("7").Single();
        File.WriteAllText(ConfigPath, $$"""{"eos_token_id": [{{tokenizer.EndOfTextId}}, {{stop}}]}""");
        Execute("run", ["max_steps=1", "save_steps=1"]);
        JsonElement[] sampled = [.. Rollouts("run", 1).Where(r => r.GetProperty("source").GetString() == "on")];
        int ended = 0;
        foreach (JsonElement row in sampled)
        {
            int[] response = [.. row.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()).Skip(row.GetProperty("prompt_length").GetInt32())];
            Assert.That(response[..^1], Has.No.Member(stop));
            if (response[^1] != stop) continue;
            ended++;
            Assert.That(row.GetProperty("text").GetString(), Is.EqualTo(tokenizer.Decode(response.AsSpan(0, response.Length - 1))));
        }

        Assert.That(ended, Is.GreaterThan(0), "an untrained model draws any token now and then");
    }
}
