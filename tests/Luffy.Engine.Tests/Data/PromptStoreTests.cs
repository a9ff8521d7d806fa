using Luffy.Engine.Data;

namespace Luffy.Engine.Tests.Data;

public sealed class PromptStoreTests
{
    private static TokenizedPrompt Prompt(int i) => new()
    {
        Example = new PromptExample
        {
            Id = $"row {i}", Source = $"s{i % 3}", Answer = $"{i}", AlternativeAnswers = i % 2 == 0 ? [] : ["é", "\0"],
            Messages = [new("system", "S"), new("user", new string('数', i % 50))],
        },
        PromptIds = [.. Enumerable.Range(i, i % 40 + 1)],
        Demonstrations = i % 3 == 0 ? [] : [[1, 200_000 + i], [i]],
        DemonstrationLogProbs = i % 3 == 1 ? [[-0.5f, float.NaN], null] : [],
    };

    private static string Shown(TokenizedPrompt p) =>
        $"{p.Example.Id}|{p.Example.Source}|{p.Example.Answer}|{string.Join(",", p.Example.AlternativeAnswers)}|{string.Join(";", p.Example.Messages)}|{string.Join(",", p.PromptIds)}|"
        + string.Join(";", p.Demonstrations.Select((d, i) => $"{string.Join(",", d)}={(p.LogProbsOf(i) is { } q ? string.Join(",", q) : "none")}"));

    [TestCase(1 << 30, false)]
    [TestCase(20_000, true)]
    [TestCase(0, true)]
    public void Prompts_come_back_as_they_were(int limit, bool onDisk)
    {
        using var store = new PromptStore(limit);
        for (int i = 0; i < 5000; i++)
        {
            store.Add(Prompt(i));
            // Reading between additions sees them all.
            if (i % 1000 == 7) Assert.That(Shown(store[i]), Is.EqualTo(Shown(Prompt(i))));
        }

        Assert.That((store.IsOnDisk, store.Count, store.MaxPromptTokens), Is.EqualTo((onDisk, 5000, 40)));
        Assert.That(store.Select(Shown), Is.EqualTo(Enumerable.Range(0, 5000).Select(i => Shown(Prompt(i)))));
        Assert.That(store.Find("row 4321")!.Example.Answer, Is.EqualTo("4321"));
        Assert.That(store.Find("row 5000"), Is.Null);
    }

    [Test]
    public void The_order_and_the_cursor_are_the_same_in_memory_and_on_disk()
    {
        using PromptStore memory = new(1 << 30), disk = new(0);
        for (int i = 0; i < 100; i++)
        {
            memory.Add(Prompt(i));
            disk.Add(Prompt(i));
        }

        PromptDataset a = new(memory, 5), b = new(disk, 5);
        Assert.That(b.Next(250).Select(p => p.Example.Id), Is.EqualTo(a.Next(250).Select(p => p.Example.Id)));
        Assert.That(b.Cursor, Is.EqualTo(a.Cursor));
        Assert.That(b.Find("row 12").PromptIds, Is.EqualTo(a.Find("row 12").PromptIds));
        Assert.Throws<LuffyException>(() => b.Find("row 100"));
    }
}
