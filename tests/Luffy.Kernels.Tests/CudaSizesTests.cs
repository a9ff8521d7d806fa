using CsCheck;

namespace Luffy.Kernels.Tests;

/// <summary>The formulas of a GPU's sizes against the library, whose emulation works them out by the GPU's own code.</summary>
public sealed class CudaSizesTests
{
    [Test]
    public void The_formulas_are_the_librarys()
    {
        using IBackend backend = TestBackends.Open(TestBackends.Cuda);
        IBackendSizes library = backend, formulas = new CudaSizes();
        Assert.That((formulas.PreferredDType, formulas.WorkspaceBytes, formulas.HasDeviceMemory), Is.EqualTo((library.PreferredDType, library.WorkspaceBytes, true)));
        Gen.Select(Gen.Long[1, 300_000], Gen.Int[1, 8], Gen.Int[1, 8], Gen.Int[1, 16], Gen.Long[1, 200_000], Gen.Bool).Sample((n, kvHeads, groups, sixteenths, vocabulary, half) =>
        {
            int headDim = 16 * sixteenths;
            DType dtype = half ? DType.Bf16 : DType.F32;
            var shape = new AttentionShape(kvHeads * groups, kvHeads, headDim, 1);
            return Sizes(formulas).SequenceEqual(Sizes(library));

            long[] Sizes(IBackendSizes sizes) =>
            [
                sizes.PackedBytes(n, headDim, dtype), sizes.CacheBytes(n, shape, dtype), sizes.AttentionBackwardScratchBytes(n, n, shape, dtype),
                sizes.PolicyLossScratchBytes(n, headDim, vocabulary, dtype), sizes.SamplingScratchBytes(n, vocabulary), sizes.SquaredNormScratchBytes(n * headDim),
            ];
        }, iter: 2000);
    }
}
