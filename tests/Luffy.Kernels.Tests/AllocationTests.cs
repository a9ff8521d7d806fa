namespace Luffy.Kernels.Tests;

/// <summary>Nothing allocates managed memory per token: after a first call has grown what it keeps, a call allocates nothing.</summary>
[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.All))]
public sealed class AllocationTests(string backend, DType dtype) : OperationTests(backend, dtype)
{
    [Test]
    public void Operations_do_not_allocate()
    {
        EveryOperation operations = new(Lab, Dtype);
        foreach ((_, Action call) in operations.Calls) call();
        long workspace = Backend.WorkspaceBytes;
        using (Assert.EnterMultipleScope())
        {
            foreach ((string name, Action call) in operations.Calls)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                call();
                Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero, name);
            }

            Assert.That(Backend.WorkspaceBytes, Is.EqualTo(workspace), "the backend's own memory");
        }
    }
}
