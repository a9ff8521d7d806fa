namespace Luffy.Kernels.Tests;

/// <summary>What the tests of every operation share: one backend for the fixture, fresh tensors for each test.</summary>
[NonParallelizable]
public abstract class OperationTests(string backend, DType dtype)
{
    private IBackend? _backend;
    private Lab? _lab;

    protected DType Dtype => dtype;

    protected string BackendName => backend;

    /// <summary>True where a thousand times fewer numbers will have to do.</summary>
    protected bool OnEmulator => TestBackends.IsEmulator(backend);

    protected IBackend Backend => _backend!;

    protected Lab Lab => _lab!;

    [OneTimeSetUp]
    public void OpenBackend() => _backend = TestBackends.Open(backend);

    [OneTimeTearDown]
    public void CloseBackend() => _backend?.Dispose();

    [SetUp]
    public void OpenLab() => _lab = new Lab(_backend!);

    [TearDown]
    public void CloseLab() => _lab?.Dispose();

    protected float[] Normal(int seed, int length, double scale = 1) => Inputs.Normal(seed, dtype, length, scale);

    protected Tensor Upload(float[] values, long d0, long d1 = 1, long d2 = 1) => Lab.Floats(dtype, values, d0, d1, d2);

    /// <summary>Compares with the f64 truth by the error of the naive way, both computed by the same mirror.</summary>
    protected static void Close(string what, float[] actual, double[] truth, float[] naive, DType storage) =>
        Expect.Close(what, actual, truth, naive, storage);
}
