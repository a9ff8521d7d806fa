using CsCheck;
using Luffy.Engine.Data;

namespace Luffy.Engine.Tests.Data;

public sealed class PromptDatasetTests
{
    private static PromptDataset Make(int count, ulong seed) => new(
        [.. Enumerable.Range(0, count).Select(i => new TokenizedPrompt
        {
            Example = new PromptExample { Id = $"{i}", Source = "s", Messages = [], Answer = "1" },
            PromptIds = [i],
            Demonstrations = [],
        })], seed);

    private static int[] Take(PromptDataset dataset, int count) => [.. dataset.Next(count).Select(p => p.PromptIds[0])];

    [Test]
    public void Every_epoch_has_every_prompt_once() =>
        Gen.Select(Gen.Int[1, 40], Gen.ULong).Sample((count, seed) =>
        {
            var dataset = Make(count, seed);
            for (int epoch = 0; epoch < 3; epoch++)
            {
                if (!Take(dataset, count).Order().SequenceEqual(Enumerable.Range(0, count))) return false;
                if (dataset.Cursor != new DatasetCursor(epoch, count)) return false;
            }

            return true;
        });

    [Test]
    public void A_restored_cursor_goes_on_with_the_same_prompts() =>
        Gen.Select(Gen.Int[1, 20], Gen.ULong, Gen.Int[0, 60], Gen.Int[0, 60]).Sample((count, seed, before, after) =>
        {
            var whole = Make(count, seed);
            int[] all = Take(whole, before + after);
            var first = Make(count, seed);
            _ = first.Next(before);
            var resumed = Make(count, seed);
            resumed.Cursor = first.Cursor;
            return Take(resumed, after).SequenceEqual(all.Skip(before)) && resumed.Cursor == whole.Cursor;
        });

    [Test]
    public void The_order_depends_on_seed_and_epoch_and_on_nothing_else()
    {
        Assert.That(Take(Make(10, 1), 20), Is.EqualTo((int[])[2, 9, 7, 8, 6, 0, 5, 3, 4, 1, 2, 7, 0, 5, 1, 3, 9, 8, 6, 4]), "the order of saved runs must never change");
        Assert.That(Take(Make(50, 1), 50), Is.Not.EqualTo(Take(Make(50, 2), 50)));
    }

    [Test]
    public void An_empty_dataset_and_a_foreign_cursor_are_errors()
    {
        Assert.Throws<LuffyException>(() => Make(0, 1));
        var dataset = Make(3, 1);
        Assert.That(Assert.Throws<LuffyException>(() => dataset.Cursor = new DatasetCursor(0, 4))!.Message, Does.Contain("the dataset has 3 prompts"));
        Assert.Throws<LuffyException>(() => dataset.Cursor = new DatasetCursor(-1, 0));
    }
}
