namespace Luffy.Kernels.Tests;

/// <summary>Nothing allocates managed memory per token: after a first call has grown what it keeps, a call allocates nothing.</summary>
[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.All))]
public sealed class AllocationTests(string backend, DType dtype) : OperationTests(backend, dtype)
{
    [Test]
    public void Operations_do_not_allocate()
    {
        EveryOperation operations = new(Lab, Dtype, EveryShape.Large);
        foreach ((_, Action call) in operations.Calls) call();
        long workspace = Backend.WorkspaceBytes;
        using (Assert.EnterMultipleScope())
        {
            foreach ((string name, Action call) in operations.Calls)
            {
                // The least of several calls: the runtime allocates now and then on a caller's account when it compiles a method anew,
                // while an operation that allocates does so every time.
                long least = long.MaxValue;
                for (int i = 0; i < 5; i++)
                {
                    long before = GC.GetAllocatedBytesForCurrentThread();
                    call();
                    least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
                }

                Assert.That(least, Is.Zero, name);
            }

            Assert.That(Backend.WorkspaceBytes, Is.EqualTo(workspace), "the backend's own memory");
        }
    }
}
