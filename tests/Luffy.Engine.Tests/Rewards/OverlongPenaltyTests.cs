using Luffy.Engine.Rewards;

namespace Luffy.Engine.Tests.Rewards;

/// <summary>The soft overlong punishment by hand.</summary>
public sealed class OverlongPenaltyTests
{
    [Test]
    public void Four_lengths_against_four_margins()
    {
        // At most 8 tokens. A margin of 4 begins after token 4: 5 tokens lose 1/4, 6 lose 2/4, 8 lose 4/4. A margin of 2 begins after token 6.
        int[] lengths = [4, 5, 6, 8];
        Assert.Multiple(() =>
        {
            Assert.That(lengths.Select(l => OverlongPenalty.Of(l, 8, 0)), Is.EqualTo(new[] { 0.0, 0, 0, 0 }));
            Assert.That(lengths.Select(l => OverlongPenalty.Of(l, 8, 2)), Is.EqualTo(new[] { 0.0, 0, 0, -1 }));
            Assert.That(lengths.Select(l => OverlongPenalty.Of(l, 8, 4)), Is.EqualTo(new[] { 0.0, -0.25, -0.5, -1 }));
            Assert.That(lengths.Select(l => OverlongPenalty.Of(l, 8, 8)), Is.EqualTo(new[] { -0.5, -0.625, -0.75, -1 }));
        });
    }

    [Test]
    public void The_published_figures()
    {
        // DAPO: 16,384 tokens expected, 4,096 more tolerated, 20,480 at most.
        Assert.That(OverlongPenalty.Of(16384, 20480, 4096), Is.Zero);
        Assert.That(OverlongPenalty.Of(18432, 20480, 4096), Is.EqualTo(-0.5));
        Assert.That(OverlongPenalty.Of(20480, 20480, 4096), Is.EqualTo(-1));
    }
}
