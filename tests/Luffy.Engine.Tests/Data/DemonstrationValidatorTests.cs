using Luffy.Engine.Configuration;
using Luffy.Engine.Data;
using Luffy.Engine.Rewards;
using Luffy.Engine.Tests.Text;
using Luffy.Engine.Text;

namespace Luffy.Engine.Tests.Data;

public sealed class DemonstrationValidatorTests
{
    private static readonly BpeTokenizer Tokenizer = BpeTokenizer.Load(Fixture.PathOf("tiny-qwen"));

    private static readonly ChatTemplate Template =
        ChatTemplate.Parse("{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}<think>\n{% endif %}");

    private static DemonstrationValidator Validator(int maxPrompt = 50, int maxCompletion = 60, int? vocabulary = null) =>
        new(Tokenizer, Template, RewardRegistry.Get("math"), maxPrompt, maxCompletion, vocabulary ?? Tokenizer.VocabularySize);

    private static PromptExample Example(string id, string prompt, string[]? texts = null, int[][]? ids = null) => new()
    {
        Id = id,
        Source = "s",
        Messages = [new("user", prompt)],
        Answer = "72",
        Demonstrations = texts ?? [],
        DemonstrationIds = ids ?? [],
    };

    private static int[] Ids(string text) => [.. Tokenizer.Encode(text), Tokenizer.EndOfTextId];

    private const string Good = "so\n</think>\n\\boxed{72}";

    [Test]
    public void What_is_right_is_kept_and_ends_in_end_of_text()
    {
        var (prompts, report) = Validator().Validate([Example("a", "Q", [Good, Good + "<|im_end|>", "<think>\n" + Good], [Ids(Good)]), Example("b", "Q")]);
        Assert.That(prompts[0].PromptIds, Is.EqualTo(Tokenizer.Encode("Q<think>\n")));
        Assert.That(prompts[0].Demonstrations, Is.EqualTo((int[][])[Ids(Good), Ids(Good), Ids(Good), Ids(Good)]));
        Assert.That(prompts[1].Demonstrations, Is.Empty);
        Assert.That((report.Prompts, report.Demonstrations, report.PromptsWithDemonstration), Is.EqualTo((2, 4, 1)));
        Assert.That(report.Lines().Single(), Does.StartWith("2 prompts, 1 of them with a demonstration (4"));
    }

    [Test]
    public void What_is_wrong_is_left_out_and_named()
    {
        int end = Tokenizer.EndOfTextId;
        var (prompts, report) = Validator().Validate([
            Example("wrong", "Q", ["so\n</think>\n\\boxed{71}"]),
            Example("open", "Q", ["\\boxed{72}"]),
            Example("long", "Q", [new string('x', 80) + Good]),
            Example("ids", "Q", ids: [[5, 100_000, end], [5, -1, end], [.. Tokenizer.Encode(Good)], [], [5, end, 5, end]]),
            Example("big", new string('x', 80), [Good])]);
        Assert.Multiple(() =>
        {
            Assert.That(prompts.Select(p => p.Example.Id), Is.EqualTo((string[])["wrong", "open", "long", "ids"]));
            Assert.That(prompts.SelectMany(p => p.Demonstrations), Is.Empty);
            Assert.That(report.Count(RefusalReason.DemonstrationNotVerified), Is.EqualTo(2));
            Assert.That(report.Count(RefusalReason.DemonstrationTooLong), Is.EqualTo(1));
            Assert.That(report.Count(RefusalReason.DemonstrationIdOutOfRange), Is.EqualTo(2));
            Assert.That(report.Count(RefusalReason.DemonstrationWithoutEndOfText), Is.EqualTo(2));
            Assert.That(report.Count(RefusalReason.DemonstrationEndsTwice), Is.EqualTo(1));
            Assert.That(report.Count(RefusalReason.PromptTooLong), Is.EqualTo(1));
            Assert.That(string.Join('\n', report.Lines()), Does.Contain("wrong: found 71, expected 72; open: no </think>").And.Contain("id 100000 at token 1"));
        });
    }

    [TestCase(DemonstrationOrder.Dataset, null, 60, "3 1 2")]
    [TestCase(DemonstrationOrder.Shortest, null, 60, "1 2 3")]
    [TestCase(DemonstrationOrder.Shortest, 1, 60, "1")]
    [TestCase(DemonstrationOrder.Dataset, 2, 60, "3 1")]
    public void Demonstrations_are_chosen_by_their_order(DemonstrationOrder order, int? most, int longest, string expected)
    {
        string Text(int length) => $"{new string('x', 4 * length)}\n</think>\n\\boxed{{72}}";
        DemonstrationValidator Choosing(long seed, DemonstrationOrder by) => new(Tokenizer, Template, RewardRegistry.Get("math"), 50, longest, Tokenizer.VocabularySize) { Order = by, MaxDemonstrations = most, Seed = seed };
        PromptExample[] examples = [.. Enumerable.Range(0, 20).Select(i => Example($"e{i}", "Q", [Text(3), Text(1), Text(2)]))];
        int[][] ids = [.. Enumerable.Range(1, 3).Select(length => Ids(Text(length)))];
        string Shown(TokenizedPrompt prompt) => string.Join(' ', prompt.Demonstrations.Select(d => 1 + Array.FindIndex(ids, known => known.SequenceEqual(d))));
        Assert.That(Choosing(1, order).Validate(examples).Prompts.Select(Shown), Has.All.EqualTo(expected));
        string[] random = [.. Choosing(1, DemonstrationOrder.Random).Validate(examples).Prompts.Select(Shown)];
        Assert.That(random.Distinct().Count(), Is.GreaterThan(1));
        Assert.That(Choosing(1, DemonstrationOrder.Random).Validate(examples).Prompts.Select(Shown), Is.EqualTo(random));
        Assert.That(Choosing(2, DemonstrationOrder.Random).Validate(examples).Prompts.Select(Shown), Is.Not.EqualTo(random));
    }

    [Test]
    public void Flags_and_log_probs_and_required_demonstrations_leave_out_what_does_not_fit()
    {
        int tokens = Ids(Good).Length;
        float[] fit = [.. Enumerable.Repeat(-0.5f, tokens)];
        var validator = new DemonstrationValidator(Tokenizer, Template, RewardRegistry.Get("math"), 50, 60, Tokenizer.VocabularySize) { RequireDemonstration = true, MaxDemonstrationLength = tokens };
        var (prompts, report) = validator.Validate([
            Example("a", "Q", [Good, Good, Good, Good, Good + "xxxxxxxx"]) with { DemonstrationLogProbs = [fit, fit[1..], fit[2..], [.. fit[1..], 0.5f], null], FlaggedDemonstrations = 2 },
            Example("b", "Q", ["\\boxed{72}"])]);
        Assert.That(prompts.Single().Demonstrations, Has.Count.EqualTo(2));
        Assert.That(prompts[0].DemonstrationLogProbs, Is.EqualTo((float[][])[fit, [.. fit[1..], float.NaN]]));
        Assert.That(report.Reasons.Select(r => (r, report.Count(r))), Is.EquivalentTo(((RefusalReason, int)[])[
            (RefusalReason.DemonstrationFlagged, 2), (RefusalReason.DemonstrationLogProbsUnfit, 2), (RefusalReason.DemonstrationTooLong, 1),
            (RefusalReason.DemonstrationNotVerified, 1), (RefusalReason.PromptWithoutDemonstration, 1)]));
    }

    [Test]
    public void A_vocabulary_smaller_than_the_tokenizers_is_noticed()
    {
        // The last id is </think>.
        var (prompts, report) = Validator(vocabulary: Tokenizer.VocabularySize - 1).Validate([Example("a", "Q", [Good]), Example("b", "</think>")]);
        Assert.That(prompts.Single().Example.Id, Is.EqualTo("a"));
        Assert.That(report.Refusals.Select(r => (r.ExampleId, r.Reason)),
            Is.EquivalentTo(((string, RefusalReason)[])[("a", RefusalReason.DemonstrationIdOutOfRange), ("b", RefusalReason.PromptIdOutOfRange)]));
    }

    [Test]
    public void A_dataset_of_which_nothing_is_left_is_an_error()
    {
        Assert.That(Assert.Throws<LuffyException>(() => Validator(maxPrompt: 3).Validate([Example("a", new string('x', 80))]))!.Message,
            Does.Contain("No prompt of the dataset is left").And.Contain("a: 82 tokens, at most 3"));
        Assert.Throws<LuffyException>(() => Validator().Validate([]));
    }

    [Test]
    public void A_conversation_that_the_template_refuses_is_named()
    {
        var template = ChatTemplate.Parse("{{ raise_exception('no system') }}");
        var validator = new DemonstrationValidator(Tokenizer, template, RewardRegistry.Get("math"), 50, 50, 400);
        Assert.That(Assert.Throws<LuffyException>(() => validator.Validate([Example("a", "Q")]))!.Message, Does.Contain("no system").And.Contain("row a"));
    }

    [Test]
    public void Gsm8k_demonstrations_are_accepted()
    {
        var examples = DatasetReader.Load(new DataOptions
        {
            DatasetName = SharedData.Require("data/gsm8k/test.jsonl"),
            Columns = new ColumnOptions { Prompt = "question", Answer = "answer", Demonstration = "answer" },
            AnswerAfter = "####",
            DemonstrationTemplate = "{demonstration}\n</think>\n\n\\boxed{answer}",
        });
        var (prompts, report) = Validator(2000, 2000).Validate(examples);
        Assert.That((examples.Count, prompts.Count, report.Demonstrations), Is.EqualTo((1319, 1319, 1319)), string.Join('\n', report.Lines()));
        Assert.That(prompts.Count(p => Tokenizer.Decode(p.Demonstrations[0]).Contains("<<", StringComparison.Ordinal)), Is.Zero);
    }
}
