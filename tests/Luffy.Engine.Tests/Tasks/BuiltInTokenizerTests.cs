using System.Text.Json.Nodes;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Model;

namespace Luffy.Engine.Tests.Tasks;

public sealed class BuiltInTokenizerTests
{
    [Test]
    public void Ids_are_consecutive_and_the_added_tokens_come_last()
    {
        JsonNode json = JsonNode.Parse(BuiltInTokenizer.TokenizerJson())!;
        int[] ids = [.. json["model"]!["vocab"]!.AsObject().Select(t => (int)t.Value!)];
        int[] added = [.. json["added_tokens"]!.AsArray().Select(t => (int)t!["id"]!)];
        Assert.That(ids.Concat(added), Is.EqualTo(Enumerable.Range(0, BuiltInTokenizer.VocabularySize)));
        Assert.That(json["added_tokens"]!.AsArray().Select(t => (string)t!["content"]!), Is.EqualTo(BuiltInTokenizer.AddedTokens));
    }

    [Test]
    public void Every_byte_has_a_token_and_every_merge_makes_one()
    {
        JsonNode model = JsonNode.Parse(BuiltInTokenizer.TokenizerJson())!["model"]!;
        HashSet<string> tokens = [.. model["vocab"]!.AsObject().Select(t => t.Key)];
        Assert.That(tokens.Count(t => t.Length == 1), Is.EqualTo(256));
        foreach (JsonNode? merge in model["merges"]!.AsArray())
        {
            string[] pair = ((string)merge!).Split(' ');
            Assert.That(tokens, Is.SupersetOf(new[] { pair[0], pair[1], pair[0] + pair[1] }));
        }
    }

    [TestCase("user")]
    [TestCase("assistant")]
    [TestCase("\\boxed")]
    [TestCase("thousands")]
    [TestCase("Ġthousands")]
    [TestCase("Ġmod")]
    [TestCase("probably")]
    [TestCase("surely")]
    public void Words_become_one_token(string word)
    {
        // Plain BPE over one word: join the pair with the lowest rank until none is left.
        JsonArray merges = JsonNode.Parse(BuiltInTokenizer.TokenizerJson())!["model"]!["merges"]!.AsArray();
        Dictionary<string, int> rank = merges.Select((m, i) => ((string)m!, i)).ToDictionary(p => p.Item1, p => p.i);
        List<string> symbols = [.. word.Select(c => c.ToString())];
        while (symbols.Count > 1)
        {
            int best = Enumerable.Range(0, symbols.Count - 1).MinBy(i => rank.GetValueOrDefault($"{symbols[i]} {symbols[i + 1]}", int.MaxValue));
            if (!rank.ContainsKey($"{symbols[best]} {symbols[best + 1]}")) break;
            symbols[best] += symbols[best + 1];
            symbols.RemoveAt(best + 1);
        }
        Assert.That(symbols, Is.EqualTo(new[] { word }));
    }

    [Test]
    public void Words_that_give_up_the_work_are_words_of_the_vocabulary()
    {
        JsonObject vocabulary = JsonNode.Parse(BuiltInTokenizer.TokenizerJson())!["model"]!["vocab"]!.AsObject();
        foreach (TaskFamily family in TaskSuite.All)
            Assert.That(vocabulary.ContainsKey(family.Draw(new TaskRandom(1)).HastyWord), family.Name);
    }

    [Test]
    public void The_generation_prompt_opens_the_thought()
    {
        JsonNode config = JsonNode.Parse(BuiltInTokenizer.TokenizerConfigJson())!;
        Assert.That((string)config["chat_template"]!, Does.Contain("assistant\\n<think>\\n'"));
        Assert.That((string)config["eos_token"]!, Is.EqualTo("<|im_end|>"));
    }

    [TestCase(BuiltInModel.Name)]
    [TestCase(BuiltInModel.HarderName)]
    public void The_built_in_models_carry_this_tokenizer(string name)
    {
        // The committed weights know these ids: another vocabulary would need another base model.
        string directory = ModelDirectory.Resolve(name);
        Assert.That(File.ReadAllText(Path.Combine(directory, "tokenizer.json")), Is.EqualTo(BuiltInTokenizer.TokenizerJson() + "\n"));
        Assert.That(File.ReadAllText(Path.Combine(directory, "tokenizer_config.json")), Is.EqualTo(BuiltInTokenizer.TokenizerConfigJson() + "\n"));
        Assert.That(TransformerConfig.Load(directory).VocabularySize, Is.EqualTo(BuiltInTokenizer.VocabularySize));
    }
}
