using System.Text.RegularExpressions;
using Luffy.Engine.Data;
using Luffy.Engine.Data.Tasks;

namespace Luffy.Engine.Tests.Tasks;

public sealed class TaskSuiteTests
{
    private static IEnumerable<TaskFamily> Families => TaskSuite.All;

    private static IEnumerable<int> Levels => Enumerable.Range(TaskFamily.MinimumLevel, TaskFamily.MaximumLevel);

    [Test]
    public void There_are_six_families_to_train_on_and_three_out_of_distribution()
    {
        Assert.That(TaskSuite.InDistribution, Has.Count.EqualTo(6));
        Assert.That(TaskSuite.OutOfDistribution, Has.Count.EqualTo(3));
        Assert.That(TaskSuite.InDistribution.Select(f => f.Category), Is.All.EqualTo(TaskCategory.InDistribution));
        Assert.That(TaskSuite.OutOfDistribution.Select(f => f.Category), Is.All.EqualTo(TaskCategory.OutOfDistribution));
        Assert.That(TaskSuite.Hard.Select(f => f.Category), Is.All.EqualTo(TaskCategory.Hard));
        Assert.That(TaskSuite.All.Select(f => f.Name), Is.Unique);
    }

    [TestCaseSource(nameof(Families))]
    public void Splits_share_no_problem_whatever_the_seed(TaskFamily family)
    {
        Dictionary<string, DatasetSplit> owner = [];
        foreach (ulong seed in (ulong[])[1, 2, 3])
            foreach (DatasetSplit split in Enum.GetValues<DatasetSplit>())
                foreach (TaskProblem problem in TaskSuite.Problems(family, split, 80, seed))
                {
                    Assert.That(owner.GetValueOrDefault(problem.Key, split), Is.EqualTo(split), problem.Key);
                    owner[problem.Key] = split;
                }
        Assert.That(owner.Values.Distinct().Count(), Is.EqualTo(3));
    }

    [TestCaseSource(nameof(Families))]
    public void Equal_questions_have_equal_keys(TaskFamily family)
    {
        // If two keys could share a question, the same question could stand in two splits.
        TaskRandom random = new(5);
        Dictionary<string, string> keyOf = [];
        for (int i = 0; i < 5000; i++)
        {
            TaskProblem problem = family.Draw(random);
            Assert.That(keyOf.GetValueOrDefault(problem.Question, problem.Key), Is.EqualTo(problem.Key));
            keyOf[problem.Question] = problem.Key;
        }
    }

    [Test]
    public void Operands_that_commute_are_one_problem()
    {
        TaskRandom random = new(9);
        foreach (string name in (string[])["addition", "gcd"])
            for (int i = 0; i < 200; i++)
            {
                TaskProblem problem = TaskSuite.Family(name).Draw(random);
                int[] operands = [.. problem.Key.Split(':')[1].Split(',').Select(int.Parse)];
                Assert.That(operands, Is.Ordered, problem.Key);
            }
    }

    [Test]
    public void The_split_is_about_eighty_ten_ten()
    {
        int[] count = new int[3];
        for (int i = 0; i < 20_000; i++) count[(int)TaskSplit.Of($"addition:{i},{i * 7}")]++;
        Assert.That(count[(int)DatasetSplit.Train], Is.InRange(15_700, 16_300));
        Assert.That(count[(int)DatasetSplit.Validation], Is.InRange(1_850, 2_150));
        Assert.That(count[(int)DatasetSplit.Test], Is.InRange(1_850, 2_150));
    }

    [Test]
    public void Split_hashes_never_change()
    {
        // Recorded values: another hash would quietly move test problems into the training data of the committed base model.
        Assert.That(TaskSplit.Hash("addition:372,485"), Is.EqualTo(HashOfExample));
        Assert.That(new TaskRandom(42).NextUInt64(), Is.EqualTo(13679457532755275413UL), "SplitMix64 from seed 42, published sequence");
    }

    private const ulong HashOfExample = 14576678677035529363UL;

    [Test]
    public void Answers_are_exact([ValueSource(nameof(Families))] TaskFamily family, [ValueSource(nameof(Levels))] int level)
    {
        TaskRandom random = new(17);
        for (int i = 0; i < 500; i++)
        {
            TaskProblem problem = family.Draw(random, level);
            Assert.That(long.Parse(problem.Answer), Is.EqualTo(Solve(problem.Question)), problem.Question);
            Assert.That(problem.HastyAnswer, Is.Not.EqualTo(problem.Answer), problem.Question);
            if (problem.WrongLine is { } line) Assert.That(problem.Steps, Has.None.EqualTo(line), problem.Question);
        }
    }

    [Test]
    public void Every_line_of_the_teachers_work_is_true([ValueSource(nameof(Families))] TaskFamily family, [ValueSource(nameof(Levels))] int level)
    {
        TaskRandom random = new(23);
        for (int i = 0; i < 300; i++)
        {
            TaskProblem problem = family.Draw(random, level);
            foreach (string step in problem.Steps) AssertTrue(Regex.Match(step, "[0-9][^a-z]*$").Value.Split('='), step);
            foreach (string step in problem.StepsIn(TaskNotation.Checked))
            {
                Match line = Regex.Match(step, "^([0-9][^ ]*) and ([0-9][^ ]*);[a-z ]+\n$");
                Assert.That(line.Success, step);
                AssertTrue(line.Groups[1].Value.Split('='), step);
                AssertTrue([.. line.Groups[2].Value.Split('=').Reverse()], step);
            }
        }

        static void AssertTrue(string[] sides, string step)
        {
            Assert.That(sides, Has.Length.AtLeast(2), step);
            // 7*8=56+1=57 is the teacher's chain: the product, then the carry added to it.
            if (sides.Length == 3) Assert.That(Value(sides[0]), Is.EqualTo(Value(sides[1].Split('+')[0])), step);
            Assert.That(Value(sides[^2]), Is.EqualTo(Value(sides[^1])), step);
        }
    }

    [TestCaseSource(nameof(Families))]
    public void A_demonstration_continues_an_open_thought_and_boxes_the_answer(TaskFamily family)
    {
        PromptExample example = family.Draw(new TaskRandom(3)).ToPromptExample();
        string demonstration = example.Demonstrations.Single();
        Assert.That(demonstration, Does.Not.Contain("<think>"));
        Assert.That(demonstration, Does.EndWith($"</think>\n\\boxed{{{example.Answer}}}"));
        Assert.That(example.Source, Is.EqualTo(family.Name));
        Assert.That(example.Messages.Single().Role, Is.EqualTo("user"));
    }

    [Test]
    public void Data_sets_are_repeatable_distinct_and_balanced()
    {
        IReadOnlyList<PromptExample> first = TaskSuite.Create(TaskSuite.InDistribution, DatasetSplit.Test, 50, seed: 7);
        IReadOnlyList<PromptExample> again = TaskSuite.Create(TaskSuite.InDistribution, DatasetSplit.Test, 50, seed: 7);
        IReadOnlyList<PromptExample> other = TaskSuite.Create(TaskSuite.InDistribution, DatasetSplit.Test, 50, seed: 8);
        Assert.That(again.Select(e => e.Id), Is.EqualTo(first.Select(e => e.Id)));
        Assert.That(other.Select(e => e.Id), Is.Not.EqualTo(first.Select(e => e.Id)));
        Assert.That(first.Select(e => e.Id), Is.Unique);
        foreach (PromptExample[] round in first.Chunk(6)) Assert.That(round.Select(e => e.Source).Distinct().Count(), Is.EqualTo(6));
    }

    [Test]
    public void Asking_for_more_problems_than_exist_says_how_many_there_are()
    {
        TaskFamily family = TaskSuite.Family("gcd");
        LuffyException error = Assert.Throws<LuffyException>(() => TaskSuite.Problems(family, DatasetSplit.Test, 5000, 1));
        Assert.That(error.Message, Does.Contain("gcd").And.Contain("5000"));
        Assert.That(error.ExitCode, Is.EqualTo(2));
    }

    [Test]
    public void Unknown_families_and_levels_are_named()
    {
        Assert.That(Assert.Throws<LuffyException>(() => TaskSuite.Family("adition"))!.Message, Does.Contain("adition").And.Contain("addition"));
        Assert.That(Assert.Throws<LuffyException>(() => TaskSuite.Family("gcd").Draw(new TaskRandom(1), 4))!.Message, Does.Contain("4"));
    }

    /// <summary>An independent reading of the question.</summary>
    private static long Solve(string question)
    {
        long[] n = [.. Regex.Matches(question, "[0-9]+").Select(m => long.Parse(m.Value))];
        if (question.Contains("base")) return Convert.ToInt64(InBase(n[0], n[1]));
        if (question.Contains("gcd")) return Enumerable.Range(1, 100).Last(d => n[0] % d == 0 && n[1] % d == 0);
        if (question.Contains("x=?")) return Enumerable.Range(0, 1000).Single(x => n[0] * x + n[1] == n[2]);
        if (question.Contains('+') && question.Contains("mod")) return (n[0] + n[1]) % n[2];
        if (question.Contains("mod")) return n[0] % n[1];
        if (question.Contains('+') || question.Contains("more")) return n[0] + n[1];
        if (question.Contains('-') || question.Contains("away")) return n[0] - n[1];
        return n[0] * n[1];
    }

    private static string InBase(long number, long numberBase) =>
        number == 0 ? "" : InBase(number / numberBase, numberBase) + (number % numberBase);

    /// <summary>The value of digits joined by one kind of operator at a time, from the left.</summary>
    private static int Value(string expression)
    {
        int value = 0;
        foreach (Match term in Regex.Matches(expression.Trim(), @"([-+*/]?)([0-9]+)"))
        {
            int operand = int.Parse(term.Groups[2].Value);
            value = term.Groups[1].Value switch
            {
                "-" => value - operand,
                "*" => value * operand,
                "/" => value / operand,
                _ => value + operand,
            };
        }
        return value;
    }
}
