namespace Luffy.Kernels.Tests;

public sealed class RowBufferTests
{
    [Test]
    public void Growing_by_one_allocates_rarely()
    {
        RowBuffer buffer = new();
        HashSet<long> sizes = [];
        for (int length = 1; length <= 1000; length++)
        {
            Assert.That(buffer.Take(length).Length, Is.EqualTo(length));
            sizes.Add(buffer.Bytes);
        }

        Assert.That(sizes, Has.Count.EqualTo(11), "1, 2, 4 … 1024 values");
        Assert.That(buffer.Bytes, Is.EqualTo(4096));
    }
}
