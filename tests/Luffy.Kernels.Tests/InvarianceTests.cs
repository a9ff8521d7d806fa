namespace Luffy.Kernels.Tests;

/// <summary>
/// The same bits whatever the number of threads, on every repetition. On the emulator these are the threads of a group; a GPU has a number of
/// its own.
/// </summary>
[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.NativeAndEmulator))]
public sealed class InvarianceTests(string backend, DType dtype)
{
    [Test]
    public void Results_do_not_depend_on_threads()
    {
        Dictionary<string, byte[]> one = Run(1);
        foreach (int threads in TestBackends.IsEmulator(backend) ? [3] : (int[])[2, 3, 1]) Same(Run(threads), one, $"{threads} threads");
    }

    private Dictionary<string, byte[]> Run(int threads)
    {
        using IBackend opened = TestBackends.Open(backend, threads);
        if (!TestBackends.HasItsOwnThreads(backend)) Assert.That(opened.Threads, Is.EqualTo(threads));
        using Lab lab = new(opened);
        EveryOperation operations = new(lab, dtype, TestBackends.IsEmulator(backend) ? EveryShape.Small : EveryShape.Large);
        foreach ((_, Action call) in operations.Calls) call();
        return operations.Bits(lab);
    }

    private static void Same(Dictionary<string, byte[]> actual, Dictionary<string, byte[]> expected, string what)
    {
        foreach ((string name, byte[] bits) in expected)
        {
            Assert.That(bits, Is.Not.All.EqualTo((byte)0xFF), $"{name} was never written");
            Assert.That(actual[name].AsSpan().SequenceEqual(bits), Is.True, $"{name} with {what}");
        }
    }
}
