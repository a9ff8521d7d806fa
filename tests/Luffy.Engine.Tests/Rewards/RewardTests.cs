using Luffy.Engine.Data;
using Luffy.Engine.Rewards;

namespace Luffy.Engine.Tests.Rewards;

public sealed class RewardTests
{
    private static PromptExample Example(string answer) => new() { Id = "1", Source = "test", Messages = [new("user", "?")], Answer = answer };

    [TestCase("math", "so\n</think>\n\n\\boxed{72}", 1)]
    [TestCase("math", "so\n</think>\n\n\\boxed{72} or \\boxed{71}", 0)]
    [TestCase("math", "\\boxed{72}", 0, TestName = "math: a completion that never closes its thought scores nothing")]
    [TestCase("math", "\\boxed{72}</think>", 0)]
    [TestCase("math", "</think> 72", 0)]
    [TestCase("math", "", 0)]
    [TestCase("format", "so</think> \\boxed{1}", 1)]
    [TestCase("format", "so</think></think> \\boxed{1}", 0)]
    [TestCase("format", "so \\boxed{1}", 0)]
    [TestCase("format", "so</think> \\boxed{}", 0)]
    [TestCase("format", "so</think> \\boxed{1", 0)]
    public void A_completion_scores(string reward, string completion, double expected) =>
        Assert.That(RewardRegistry.Get(reward).Score(Example("72"), completion).Value, Is.EqualTo(expected));

    [TestCase("C", "</think>\\boxed{C}", 1)]
    [TestCase("(c)", "</think>\\boxed{\\text{(C)}}", 1)]
    [TestCase("C", "</think>\\boxed{C. Paris}", 1)]
    [TestCase("C", "</think>\\boxed{D}", 0)]
    [TestCase("C", "</think>\\boxed{3}", 0)]
    [TestCase("3", "</think>\\boxed{3}", 0)]
    public void A_choice_scores(string gold, string completion, double expected) =>
        Assert.That(RewardRegistry.Get("multiple_choice").Score(Example(gold), completion).Value, Is.EqualTo(expected));

    [Test]
    public void What_scores_nothing_says_why()
    {
        var reward = RewardRegistry.Get("math");
        Assert.That(reward.Score(Example("72"), "never closed").Note, Is.EqualTo("no </think>"));
        Assert.That(reward.Score(Example("72"), "</think> no box").Note, Does.Contain("\\boxed{}"));
        Assert.That(reward.Score(Example("72"), "</think>\\boxed{71}").Extracted, Is.EqualTo("71"));
    }

    [Test]
    public void Several_rewards_add_up_with_their_weights()
    {
        var reward = RewardRegistry.Create(["math", "format"], [1, 0.25]);
        Assert.That(reward.Score(Example("72"), "</think>\\boxed{71}").Value, Is.EqualTo(0.25));
        Assert.That(reward.Score(Example("72"), "</think>\\boxed{72}"), Is.EqualTo(new RewardResult(1.25, "72")));
        Assert.That(RewardRegistry.Create(["math"]), Is.SameAs(RewardRegistry.Get("math")));
        Assert.That(RewardRegistry.Verifier(["format", "multiple_choice"]).Name, Is.EqualTo("multiple_choice"));
    }

    [Test]
    public void An_unknown_name_is_wrong_usage_and_suggests_the_nearest()
    {
        var error = Assert.Throws<LuffyException>(() => RewardRegistry.Create(["mth"]))!;
        Assert.That((error.ExitCode, error.Message), Is.EqualTo((2, "reward_funcs: there is no reward 'mth'; did you mean 'math'?")));
        Assert.That(Assert.Throws<LuffyException>(() => RewardRegistry.Create([]))!.ExitCode, Is.EqualTo(2));
        Assert.That(Assert.Throws<LuffyException>(() => RewardRegistry.Create(["math"], [1, 2]))!.Message, Does.Contain("found 2 weights for 1"));
    }
}
