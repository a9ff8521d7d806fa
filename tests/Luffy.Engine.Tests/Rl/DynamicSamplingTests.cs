using Luffy.Engine.Data;
using Luffy.Engine.Rewards;
using Luffy.Engine.Rl;
using Luffy.Engine.Rollout;

namespace Luffy.Engine.Tests.Rl;

/// <summary>Which groups stay and which give way, by hand: four groups of four rows.</summary>
[TestFixture]
public sealed class DynamicSamplingTests
{
    // Correct rows of the four of each prompt, in the order in which prompts are drawn.
    private static readonly (string Prompt, int Correct)[] Prompts = [("a", 1), ("b", 0), ("c", 4), ("d", 3), ("e", 0), ("f", 2), ("g", 1), ("h", 1)];

    // a and d are mixed. e and f take the places of b and c; e is all wrong, and g takes its place. Nothing is left for a third time.
    [TestCase(0, "abcd", "", 0)]
    [TestCase(1, "aefd", "bc", 1)]
    [TestCase(2, "agfd", "bce", 2)]
    [TestCase(9, "agfd", "bce", 2)]
    public void Groups_of_one_kind_give_way_to_the_prompts_that_follow(int times, string groups, string replaced, int resamplings)
    {
        int drawn = 0;
        var rounds = new List<int>();
        SampledGroups sampled = DynamicSampling.Collect(4, times,
            count => [.. Prompts[drawn..(drawn += count)].Select(p => Prompt(p.Prompt))],
            (prompts, round) =>
            {
                rounds.Add(round);
                return [.. prompts.Select(p => Group(p, Prompts.Single(x => x.Prompt == p.Example.Id).Correct))];
            });
        Assert.Multiple(() =>
        {
            Assert.That(Names(sampled.Groups), Is.EqualTo(groups));
            Assert.That(Names(sampled.Replaced), Is.EqualTo(replaced));
            Assert.That(sampled.Resamplings, Is.EqualTo(resamplings));
            Assert.That(drawn, Is.EqualTo(4 + replaced.Length), "no prompt is drawn in vain");
            Assert.That(rounds, Is.EqualTo(Enumerable.Range(0, resamplings + 1)));
        });
    }

    [Test]
    public void A_prompt_that_comes_again_within_a_step_is_answered_anew()
    {
        ulong[] seeds = [.. from step in Enumerable.Range(0, 20) from round in Enumerable.Range(0, 20) select PromptKey.StepSeed(42, step, round)];
        Assert.That(seeds, Is.Unique);
        Assert.That(PromptKey.StepSeed(42, 3, 0), Is.EqualTo(PromptKey.StepSeed(42, 3)), "without replacement nothing changes");
    }

    private static string Names(IEnumerable<RolloutGroup> groups) => string.Concat(groups.Select(g => g.Prompt.Example.Id));

    private static TokenizedPrompt Prompt(string id) =>
        new() { Example = new PromptExample { Id = id, Source = "s", Messages = [], Answer = "1" }, PromptIds = [0], Demonstrations = [] };

    private static RolloutGroup Group(TokenizedPrompt prompt, int correct) => new(prompt, [.. Enumerable.Range(0, 4).Select(i => new GroupRow
    {
        Ids = [0, 1],
        PromptLength = 1,
        OffPolicyTokens = 0,
        Text = "",
        Result = new RewardResult(i < correct ? 1 : 0, null),
        IsCorrect = i < correct,
    })]);
}
