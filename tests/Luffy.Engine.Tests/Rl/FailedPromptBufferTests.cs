using Luffy.Engine.Configuration;
using Luffy.Engine.Data;
using Luffy.Engine.Rewards;
using Luffy.Engine.Rl;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Rl;

/// <summary>ReLIFT by hand: which prompts are imitated when, and the loss of a batch of them.</summary>
[TestFixture]
public sealed class FailedPromptBufferTests
{
    // Correct samples of four, of each of four prompts in four steps. With batches of three:
    // step 1: a and c fail and wait. Step 2: a, b and d fail; before the older a and c they make a batch, and a and c go on waiting.
    // Step 3: nothing fails. Step 4: b, c and d fail and are the next batch.
    private static readonly int[][] Correct = [[0, 1, 0, 2], [0, 0, 4, 0], [1, 2, 3, 4], [1, 0, 0, 0]];

    [Test]
    public void The_newest_failures_are_imitated_as_soon_as_a_batch_waits()
    {
        var buffer = new FailedPromptBuffer(3);
        var log = new List<string>();
        foreach (int[] step in Correct)
        {
            buffer.Add(step.Select((correct, i) => Group("abcd"[i], correct)));
            string taken = buffer.TakeBatch() is { } batch ? string.Concat(batch) : "-";
            log.Add($"{taken} {string.Concat(buffer.Waiting)}");
            Assert.That(buffer.TakeBatch(), Is.Null);
        }

        Assert.That(log, Is.EqualTo(new[] { "- ac", "abd ac", "- ac", "bcd ac" }));
    }

    [Test]
    public void A_prompt_without_demonstration_does_not_wait()
    {
        var buffer = new FailedPromptBuffer(3);
        buffer.Add([Group('a', 0) with { Prompt = Prompt("a", []) }, Group('b', 0)]);
        Assert.That(buffer.Waiting, Is.EqualTo(new[] { "b" }));
    }

    [Test]
    public void A_batch_is_imitated_with_the_mean_over_its_tokens()
    {
        // Demonstrations of 3, 2, 4 and 4 tokens. −Σ ln p = 2.302585 + 0.616186 + 4.815891 + 7.652196 = 15.386858; of 13 tokens each has the gradient −1/13.
        double[][] probabilities = [[0.5, 0.25, 0.8], [0.9, 0.6], [0.3, 0.3, 0.3, 0.3], [0.01, 0.1, 0.5, 0.95]];
        TrainingRow[] rows = [.. probabilities.Select(p => new TrainingRow { Ids = new int[1 + p.Length], PromptLength = 1, OffPolicyTokens = p.Length, Advantage = 1, Imitated = true })];
        float[] weights = LossWeights.Of(rows, LossNormalizer.Sequences, 128);
        PolicyLossOptions imitation = new LossOptions().ToImitationOptions();
        double loss = 0;
        for (int r = 0; r < rows.Length; r++)
        {
            foreach (double p in probabilities[r])
            {
                TokenObjective token = PolicyObjective.Evaluate(Math.Log(p), double.NaN, rows[r].Advantage, offPolicy: true, double.NaN, imitation);
                loss += weights[r] * token.Loss;
                Assert.That(weights[r] * token.Gradient, Is.EqualTo(-0.0769231).Within(1e-7));
            }
        }

        Assert.That(loss, Is.EqualTo(1.183604).Within(1e-6));
    }

    private static RolloutGroup Group(char name, int correct) => new(Prompt($"{name}", [[1, 2]]), [.. Enumerable.Range(0, 4).Select(i => new GroupRow
    {
        Ids = [1, 2], PromptLength = 1, OffPolicyTokens = 0, Text = "", Result = new RewardResult(i < correct ? 1 : 0, null), IsCorrect = i < correct,
    })]);

    private static TokenizedPrompt Prompt(string id, int[][] demonstrations) => new()
    {
        Example = new PromptExample { Id = id, Source = "s", Messages = [], Answer = "1" }, PromptIds = [1], Demonstrations = demonstrations,
    };
}
