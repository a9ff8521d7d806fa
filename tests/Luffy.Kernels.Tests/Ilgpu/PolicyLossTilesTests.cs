using Luffy.Kernels.Ilgpu;
using Luffy.Kernels.Ilgpu.Products;

namespace Luffy.Kernels.Tests.Ilgpu;

/// <summary>
/// The policy loss has the same bits with tiles of every size, and in strips of every width. On the emulator tiles are small; those of a GPU
/// run here on as many threads as there.
/// </summary>
[TestFixture(DType.F32, false)]
[TestFixture(DType.Bf16, false)]
[TestFixture(DType.Bf16, true)]
[NonParallelizable]
public sealed class PolicyLossTilesTests(DType dtype, bool tensorCores)
{
    private static readonly PolicyLossOptions Options = new() { Temperature = .8f, EntropyCoefficient = .1f, KlCoefficient = .2f };
    private IlgpuBackend? _emulator;

    [OneTimeSetUp]
    public void Open() => _emulator = new IlgpuBackend(IlgpuDevice.OpenEmulator(2, tensorCores));

    [OneTimeTearDown]
    public void Close() => _emulator?.Dispose();

    [TestCase(nameof(ProductSize.Small)), TestCase(nameof(ProductSize.Medium)), TestCase(nameof(ProductSize.Large))]
    public void Bits_do_not_depend_on_the_size_of_tiles(string size)
    {
        // Several tiles of the smaller ones down and across, two of the largest across; the last ones hold a few rows and columns.
        PolicyBatch batch = PolicyBatch.Random(1, dtype, 67, 18, 140);
        using IlgpuBackend backend = new(IlgpuDevice.OpenEmulator(2, tensorCores, Enum.Parse<ProductSize>(size)));
        Same(Run(backend, batch, backend.PolicyLoss), Run(_emulator!, batch, _emulator!.PolicyLoss));
    }

    [Test]
    public void Bits_do_not_depend_on_the_width_of_strips()
    {
        PolicyBatch batch = PolicyBatch.Random(2, dtype, 7, 18, 700);
        PolicyResult whole = Run(_emulator!, batch, _emulator!.PolicyLoss);
        // Strips of the least width, and of more than half of what there is.
        foreach (long bytes in (long[])[0, 7 * 384 * dtype.Size()])
            Same(Run(_emulator!, batch, new PolicyLossIlgpu(_emulator!.Context, _emulator!.Linear, bytes)), whole);
    }

    [Test]
    public void Memory_for_the_most_rows_serves_fewer()
    {
        long before = 0;
        for (int rows = 0; rows < 400; rows++)
        {
            long bytes = _emulator!.PolicyLoss.ScratchBytes(rows, 64, 50_001, dtype);
            Assert.That(bytes, Is.GreaterThanOrEqualTo(before), $"{rows} rows");
            before = bytes;
        }

        Assert.That(_emulator!.PolicyLoss.ScratchBytes(2048, 896, 151_936, dtype), Is.LessThan(2048L * 151_936 * sizeof(float) / 10), "of the logits");
    }

    private static void Same(PolicyResult actual, PolicyResult expected)
    {
        Expect.SameBits("statistics", actual.Statistics, expected.Statistics);
        Expect.SameBits("dHidden", actual.DHidden, expected.DHidden);
        Expect.SameBits("dHead", actual.DHead, expected.DHead);
    }

    private PolicyResult Run(IlgpuBackend backend, PolicyBatch batch, IPolicyLoss loss)
    {
        using Lab lab = new(backend);
        return batch.Run(lab, dtype, Options, Inputs.Normal(3, DType.F32, batch.Vocabulary * batch.Width), loss: loss);
    }
}
