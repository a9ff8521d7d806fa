using System.Text.Json.Nodes;
using Luffy.Engine.Checkpoint;
using Luffy.Engine.Configuration;
using Luffy.Engine.Data;
using Luffy.Engine.Rewards;
using Luffy.Engine.Rl;
using Luffy.Kernels;

namespace Luffy.Engine.Tests.Rl;

/// <summary>ExGRPO by hand: what is stored, what is drawn, and the weight of a replayed row.</summary>
[TestFixture]
public sealed class ExperienceStoreTests
{
    private static readonly ExperienceOptions Options = new() { ExperienceRatio = 0.5, ExperienceDeviation = 0.25 };

    private int _token;

    // Correct rows of four, of each of four prompts in three steps. Step 1: 7 of 16 are correct, so the store begins after it; c retires at once.
    // Step 2: a keeps two successes and b one; c has retired for good, and d has none. Step 3: b retires; a has no success, and stays as it was.
    [Test]
    public void Successes_are_kept_from_the_threshold_until_their_prompt_retires()
    {
        var store = new ExperienceStore(Options, 4);
        var log = new List<string>();
        foreach (int[] correct in (int[][])[[1, 0, 4, 2], [2, 1, 3, 0], [0, 4, 1, 0]])
        {
            Assert.That(store.Draw(4, 1).Count, Is.EqualTo(store.Prompts));
            store.Add([.. correct.Select((c, i) => Group("abcd"[i], c))]);
            log.Add($"{store.Started} {string.Concat("abcd".Select(id => store.Of($"{id}").Count))} {store.Successes} {store.Retired} {store.Tokens}");
        }

        // A success of one token takes the room of 25.
        Assert.That(log, Is.EqualTo(new[] { "True 0000 0 1 0", "True 2100 3 1 75", "True 2000 2 2 50" }));
    }

    [Test]
    public void Prompts_solved_half_the_time_come_before_others()
    {
        // Two of four correct: weight 1. One of four: exp(−½) = 0.606531. So a is drawn alone with the probability 1 / 1.606531 = 0.622459.
        ExperienceStore store = Started();
        store.Add([Group('a', 2), Group('b', 1)]);
        int first = Enumerable.Range(0, 4000).Count(seed => store.Draw(1, (ulong)seed)[0] == "a");
        Assert.That(first / 4000.0, Is.EqualTo(0.622459).Within(0.03));
        for (ulong seed = 0; seed < 20; seed++) Assert.That(store.Draw(1, seed), Is.EqualTo(Draw(store, seed)), "the seed decides");
        Assert.That(store.Draw(2, 7), Is.EquivalentTo(new[] { "a", "b" }));
    }

    [Test]
    public void What_a_bucket_lacks_comes_from_others_and_nothing_comes_twice()
    {
        ExperienceStore store = Started();
        store.Add([Group('a', 2), Group('b', 1), Group('c', 1), Group('d', 3)]);
        for (ulong seed = 0; seed < 200; seed++) Assert.That(store.Draw(3, seed), Has.Count.EqualTo(3).And.Unique);
        Assert.That(store.Draw(9, 0), Is.EquivalentTo(new[] { "a", "b", "c", "d" }));
    }

    [Test]
    public void The_oldest_give_way_where_room_runs_out()
    {
        var store = new ExperienceStore(Options with { ExperienceTokens = 60 }, 4);
        store.Add([Group('x', 2)]);
        store.Add([Group('a', 1), Group('b', 2)]);
        Assert.That((store.Of("a").Count, store.Of("b").Count, store.Prompts, store.Tokens), Is.EqualTo((0, 2, 1, 50L)));
        RolloutGroup twice = Group('b', 1);
        twice.Rows[0] = Row(store.Of("b")[0].Response[0], true);
        store.Add([twice]);
        Assert.That(store.Of("b"), Has.Count.EqualTo(2), "an answer that is there already is not kept twice");
    }

    [Test]
    public void It_survives_a_checkpoint_to_the_bit()
    {
        string folder = Directory.CreateTempSubdirectory("luffy-experience-").FullName;
        try
        {
            ExperienceStore store = Started();
            store.Add([Group('b', 1), Group('a', 2), Group('c', 4), Group('d', 3)]);
            var state = new JsonObject();
            SavedCheckpoint saved = new CheckpointStore(folder).Save(1, writer =>
            {
                store.Save(writer, state);
                writer.WriteState(state);
            });
            var restored = new ExperienceStore(Options, 4);
            restored.Load(saved, saved.ReadState());
            Assert.That((restored.Started, restored.Prompts, restored.Successes, restored.Retired, restored.Tokens),
                Is.EqualTo((store.Started, store.Prompts, store.Successes, store.Retired, store.Tokens)));
            foreach (string id in (string[])["a", "b", "d"])
            {
                Assert.That(restored.Of(id).Select(s => s.Response), Is.EqualTo(store.Of(id).Select(s => s.Response)));
                Assert.That(restored.Of(id).Select(s => s.LogProbs), Is.EqualTo(store.Of(id).Select(s => s.LogProbs)));
            }

            for (ulong seed = 0; seed < 20; seed++) Assert.That(restored.Draw(2, seed), Is.EqualTo(store.Draw(2, seed)));
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }

    [Test]
    public void A_replayed_row_weighs_x_by_x_plus_beta()
    {
        // Four rows of four tokens, the last replayed: p = .01 .1 .5 .95 now, .02 .1 .4 .95 then, so x = .5 1 1.25 1. Its weights are x / (x + .1), and
        // d/d ln π of them .1 x / (x + .1)² = .1388889 .0826446 .0685871 .0826446. Rewards 0 1 0 1 make A = −.5 .5 −.5 .5; each token counts 1/16.
        double[][] now = [[0.5, 0.25, 0.8, 1], [0.9, 0.6, 1, 1], [0.3, 0.3, 0.3, 0.3], [0.01, 0.1, 0.5, 0.95]];
        float[] then = [.. new[] { 0.02, 0.1, 0.4, 0.95 }.Select(p => (float)Math.Log(p))];
        double[][] gradients =
        [
            [0.03125, 0.03125, 0.03125, 0.03125], [-0.03125, -0.03125, -0.03125, -0.03125], [0.03125, 0.03125, 0.03125, 0.03125],
            [-0.0043403, -0.0025826, -0.0021433, -0.0025826],
        ];
        var group = new RolloutGroup(Prompt("a"), [.. Enumerable.Range(0, 4).Select(i => new GroupRow
        {
            Ids = [0, 1, 2, 3, 4], PromptLength = 1, OffPolicyTokens = i == 3 ? 4 : 0, BehaviorLogProbs = i == 3 ? then : null, Text = "",
            Result = new RewardResult(i % 2, null), IsCorrect = i % 2 == 1,
        })]);
        AdvantageAssignment.Assign([group], new RewardOptions());
        TrainingRow[] rows = [.. group.Rows.Select(r => new TrainingRow
        {
            Ids = r.Ids, PromptLength = 1, OffPolicyTokens = r.OffPolicyTokens, Advantage = (float)r.Advantage, BehaviorLogProbs = r.BehaviorLogProbs,
        })];
        float[] weights = LossWeights.Of(rows, LossNormalizer.MaxLength, 4);
        PolicyLossOptions options = new LossOptions { BehaviorReshape = PolicyReshape.PDivPGamma, BehaviorGamma = 0.1 }.ToKernelOptions(1, 0);
        double[] replayed = new double[4];
        for (int r = 0; r < 4; r++)
        {
            for (int t = 0; t < 4; t++)
            {
                TokenObjective token = PolicyObjective.Evaluate(Math.Log(now[r][t]), double.NaN, rows[r].AdvantageOf(t), r == 3, r == 3 ? then[t] : double.NaN, options);
                Assert.That(weights[r] * token.Gradient, Is.EqualTo(gradients[r][t]).Within(1e-6), $"row {r}, token {t}");
                if (r == 3) replayed[t] = token.Weight;
            }
        }

        // The recorded probability has 1e-6 added, lest it be 0.
        Assert.That(replayed, Is.EqualTo(new[] { 0.8333333, 0.9090909, 0.9259259, 0.9090909 }).Within(1e-5));
    }

    private ExperienceStore Started()
    {
        var store = new ExperienceStore(Options, 4);
        store.Add([Group('x', 2)]);
        return store;
    }

    private static IReadOnlyList<string> Draw(ExperienceStore store, ulong seed) => store.Draw(1, seed);

    // Every answer is another token.
    private RolloutGroup Group(char name, int correct) => new(Prompt($"{name}"), [.. Enumerable.Range(0, 4).Select(i => Row(++_token, i < correct))]);

    private static GroupRow Row(int token, bool correct) => new()
    {
        Ids = [0, token], PromptLength = 1, OffPolicyTokens = 0, LogProbs = [-1f / token], Text = "", Result = new RewardResult(correct ? 1 : 0, null), IsCorrect = correct,
    };

    private static TokenizedPrompt Prompt(string id) =>
        new() { Example = new PromptExample { Id = id, Source = "s", Messages = [], Answer = "1" }, PromptIds = [0], Demonstrations = [] };
}
