using Luffy.Engine.Data.Tasks;

namespace Luffy.Engine.Tests.Tasks;

public sealed class PretrainMixtureTests
{
    [Test]
    public void With_all_rates_at_one_every_completion_is_the_demonstration()
    {
        PretrainMixture mixture = new([new PretrainFamily { Family = "addition" }, new PretrainFamily { Family = "gcd" }], seed: 1);
        foreach (PretrainExample example in mixture.Examples().Take(200))
            Assert.That(example.Completion, Is.EqualTo(example.Problem.Demonstration()));
    }

    [Test]
    public void A_share_of_the_examples_is_in_the_checked_notation()
    {
        PretrainFamily family = new() { Family = "gcd", CheckedRate = 0.3, MidwayRate = 0.5, ThinkRate = 0.5, ContinueRate = 0.8 };
        const int count = 5000;
        int inChecked = 0;
        foreach (PretrainExample example in new PretrainMixture([family], seed: 4).Examples().Take(count))
        {
            string text = example.Context + example.Completion;
            bool plain = Written(TaskNotation.Plain), isChecked = Written(TaskNotation.Checked);
            Assert.That(plain || isChecked, text);
            if (!plain) inChecked++;

            bool Written(TaskNotation notation) => text == example.Problem.Demonstration(notation)
                || Enumerable.Range(0, example.Problem.Steps.Count).Any(k => text == example.Problem.HastyCompletion(k, notation));
        }
        // Examples that give up at once are in both notations, and count as plain here: 0.3 × (0.5 + 0.5 × 0.5 and more of the midway ones).
        Assert.That(inChecked / (double)count, Is.InRange(0.18, 0.28));
    }

    [Test]
    public void Hasty_answers_go_astray_by_a_line_of_other_work_where_the_family_has_one()
    {
        PretrainFamily family = new() { Family = "gcd", WrongLineRate = 0.4, ThinkRate = 0.5, ContinueRate = 0.5 };
        int hasty = 0, astray = 0;
        foreach (PretrainExample example in new PretrainMixture([family], seed: 6).Examples().Take(4000))
        {
            TaskProblem problem = example.Problem;
            if (example.Completion == problem.Demonstration()) continue;
            hasty++;
            if (Enumerable.Range(0, problem.Steps.Count).Any(k => example.Completion == problem.WrongCompletion(k))) astray++;
            else Assert.That(Enumerable.Range(0, problem.Steps.Count).Any(k => example.Completion == problem.HastyCompletion(k)), example.Completion);
        }
        // Five standard deviations of a share of 0.4 among more than 3,000.
        Assert.That(astray / (double)hasty, Is.EqualTo(0.4).Within(0.045));
        Assert.That(() => new PretrainMixture([family with { Family = "addition" }], 1).Examples().First(),
            Throws.InstanceOf<LuffyException>().With.Message.Contains("addition").And.Message.Contains("wrong_line_rate"));
    }

    [Test]
    public void Only_training_problems_are_drawn()
    {
        PretrainMixture mixture = new([new PretrainFamily { Family = "gcd" }, new PretrainFamily { Family = "modular" }], seed: 2);
        foreach (PretrainExample example in mixture.Examples().Take(3000))
            Assert.That(TaskSplit.Of(example.Problem.Key), Is.EqualTo(DatasetSplit.Train));
    }

    [Test]
    public void Completed_work_is_as_rare_as_the_rates_say()
    {
        PretrainFamily family = new() { Family = "addition", ThinkRate = 0.5, ContinueRate = 0.6 };
        const int count = 20_000;
        int complete = 0, immediate = 0;
        foreach (PretrainExample example in new PretrainMixture([family], seed: 3).Examples().Take(count))
        {
            if (example.Completion == example.Problem.Demonstration()) complete++;
            else Assert.That(example.Completion, Does.EndWith($"\\boxed{{{example.Problem.HastyAnswer}}}"));
            if (example.Completion == example.Problem.HastyCompletion(0)) immediate++;
        }
        // 0.5 × 0.6² = 0.18; five standard deviations are 0.0136, and 0.0177 for one half.
        Assert.That(family.CompletionRate(3), Is.EqualTo(0.18).Within(1e-12));
        Assert.That(complete / (double)count, Is.EqualTo(0.18).Within(0.0136));
        Assert.That(immediate / (double)count, Is.EqualTo(0.5).Within(0.0177));
    }

    [Test]
    public void Starting_midway_changes_neither_the_work_nor_the_rates()
    {
        PretrainFamily family = new() { Family = "linear", ThinkRate = 0.3, ContinueRate = 0.6, MidwayRate = 1 };
        int[] visits = new int[3], goneOn = new int[3];
        foreach (PretrainExample example in new PretrainMixture([family], seed: 8).Examples().Take(20_000))
        {
            TaskProblem problem = example.Problem;
            string text = example.Context + example.Completion;
            Assert.That(problem.Demonstration(), Does.StartWith(example.Context));
            int reached = Enumerable.Range(0, problem.Steps.Count).FirstOrDefault(k => text == problem.HastyCompletion(k), problem.Steps.Count);
            if (reached == problem.Steps.Count) Assert.That(text, Is.EqualTo(problem.Demonstration()));
            string before = "";
            for (int step = 0; step < problem.Steps.Count; before += problem.Steps[step++])
            {
                if (step > reached || example.Context.Length > before.Length) continue;
                visits[step]++;
                if (reached > step) goneOn[step]++;
            }
        }
        Assert.That(visits, Is.All.GreaterThan(3000), "late steps are visited too");
        // Five standard deviations at 3000 visits: 0.042 and 0.045.
        Assert.That(goneOn[0] / (double)visits[0], Is.EqualTo(0.3).Within(0.042));
        Assert.That(goneOn[1] / (double)visits[1], Is.EqualTo(0.6).Within(0.045));
        Assert.That(goneOn[2] / (double)visits[2], Is.EqualTo(0.6).Within(0.045));
    }

    [Test]
    public void Shares_follow_the_weights()
    {
        PretrainMixture mixture = new(
            [new PretrainFamily { Family = "addition", Weight = 3 }, new PretrainFamily { Family = "linear", Weight = 1 }], seed: 4);
        int addition = mixture.Examples().Take(8000).Count(e => e.Problem.Family == "addition");
        Assert.That(addition / 8000.0, Is.EqualTo(0.75).Within(0.025));
    }

    [Test]
    public void Streams_repeat_for_a_seed_and_differ_between_seeds()
    {
        string[] Draw(ulong seed) =>
            [.. new PretrainMixture([new PretrainFamily { Family = "linear", ThinkRate = 0.5 }], seed).Examples().Take(50).Select(e => e.Completion)];
        string[] first = Draw(5);
        Assert.That(Draw(5), Is.EqualTo(first));
        Assert.That(Draw(6), Is.Not.EqualTo(first));
    }

    [TestCase(-0.1, 1.0)]
    [TestCase(1.0, 1.5)]
    [TestCase(double.NaN, 1.0)]
    public void Rates_outside_zero_to_one_are_refused(double think, double goOn)
    {
        PretrainMixture mixture = new([new PretrainFamily { Family = "linear", ThinkRate = think, ContinueRate = goOn }], seed: 1);
        Assert.That(() => mixture.Examples().First(), Throws.TypeOf<LuffyException>().With.Message.Contains("linear"));
    }
}
