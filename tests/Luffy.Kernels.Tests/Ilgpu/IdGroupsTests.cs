using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels.Tests.Ilgpu;

/// <summary>The tokens of each id, as the embedding's gradient wants them.</summary>
public sealed class IdGroupsTests
{
    [Test]
    public void Every_token_is_in_the_group_of_its_id_in_ascending_order()
    {
        IdGroups groups = new();
        // The same object each time, with fewer and more tokens and ids than before.
        foreach ((int tokens, int limit) in ((int, int)[])[(1, 1), (0, 5), (300, 7), (40, 1000), (500, 3), (500, 2000)])
        {
            int[] ids = Inputs.Ids(tokens + limit, tokens, limit);
            groups.Group(ids, limit);
            int[][] expected = [.. Enumerable.Range(0, tokens).GroupBy(token => ids[token]).Select(group => group.ToArray())];
            Assert.That(groups.Count, Is.EqualTo(expected.Length));
            int[] packed = groups.Packed.ToArray();
            Assert.That(packed, Has.Length.EqualTo(expected.Length + 1 + tokens).And.Length.LessThanOrEqualTo(IdGroups.PackedLength(tokens)));
            for (int g = 0; g < expected.Length; g++)
                Assert.That(packed[(expected.Length + 1)..][packed[g]..packed[g + 1]], Is.EqualTo(expected[g]), $"group {g} of {tokens} tokens");
        }
    }

    [Test]
    public void Memory_is_kept()
    {
        IdGroups groups = new();
        int[] ids = Inputs.Ids(1, 1000, 300);
        groups.Group(ids, 300);
        (long bytes, long before) = (groups.Bytes, GC.GetAllocatedBytesForCurrentThread());
        groups.Group(ids, 300);
        Assert.That(GC.GetAllocatedBytesForCurrentThread(), Is.EqualTo(before));
        Assert.That(groups.Bytes, Is.EqualTo(bytes));
    }
}
