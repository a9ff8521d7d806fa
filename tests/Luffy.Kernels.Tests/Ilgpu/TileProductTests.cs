using CsCheck;
using Luffy.Kernels.Ilgpu;
using Luffy.Kernels.Ilgpu.Products;

namespace Luffy.Kernels.Tests.Ilgpu;

/// <summary>
/// Products with the tiles that GPUs use, of as many threads, on the emulator: with the bits of the emulator's own tiles, which the operation's tests
/// hold against the truth. So a result does not depend on the size of the tile.
/// </summary>
[TestFixture(DType.F32, false)]
[TestFixture(DType.Bf16, false)]
[TestFixture(DType.Bf16, true)]
[NonParallelizable]
public sealed class TileProductTests(DType dtype, bool tensorCores)
{
    private const string Seed = "0N0XIzNsQ0O2";
    private const int Cases = 12;

    // The second shape has rows of multiples of 16 bytes. The last three have sums that are longer than the deepest stage, 128, one product each.
    private static readonly int[][] Shapes = [[19, 37, 67], [24, 40, 72], [1, 24, 8], [3, 20, 140], [2, 147, 24], [133, 9, 8]];

    private readonly Dictionary<ProductSize, IlgpuBackend> _backends = [];

    [OneTimeTearDown]
    public void Close()
    {
        foreach (IlgpuBackend backend in _backends.Values) backend.Dispose();
    }

    [TestCase("Small"), TestCase("Medium"), TestCase("Large")]
    public void Results_do_not_depend_on_the_size_of_a_tile(string size)
    {
        foreach (int[] shape in Shapes) Same(shape, Run(shape, Enum.Parse<ProductSize>(size)), Run(shape, ProductSize.Emulated));
    }

    /// <summary>To the bit, with tensor cores too: the emulator's add up in ascending order.</summary>
    [Test]
    public void Results_are_those_of_the_reference() => Gen.Select(Gen.Int[1, 20], Gen.Int[1, 40], Gen.Int[1, 40]).Sample((rows, n, k) =>
    {
        using ReferenceBackend reference = new();
        Same([rows, n, k], Run([rows, n, k], ProductSize.Emulated), Run([rows, n, k], reference));
    }, seed: Seed, iter: Cases, threads: 1);

    [TestCase(1, 151_936, 132, "Small"), TestCase(16, 4864, 132, "Small"), TestCase(64, 896, 132, "Small"), TestCase(40, 9728, 132, "Medium")]
    [TestCase(1024, 896, 132, "Medium"), TestCase(4096, 1152, 132, "Large"), TestCase(65, 151_936, 132, "Large"), TestCase(128, 128, 1, "Large")]
    public void Tiles_are_as_large_as_leaves_no_multiprocessor_idle(int rows, int columns, int multiprocessors, string expected) =>
        Assert.That(ProductTiles.Choose(rows, columns, multiprocessors), Is.EqualTo(Enum.Parse<ProductSize>(expected)));

    private static void Same(int[] shape, List<(string Name, float[] Values)> actual, List<(string Name, float[] Values)> expected)
    {
        Assert.That(actual, Has.Count.EqualTo(expected.Count));
        for (int i = 0; i < actual.Count; i++) Expect.SameBits($"{expected[i].Name}, {string.Join('·', shape)}", actual[i].Values, expected[i].Values);
    }

    private List<(string Name, float[] Values)> Run(int[] shape, ProductSize size)
    {
        if (!_backends.TryGetValue(size, out IlgpuBackend? backend)) _backends.Add(size, backend = new(IlgpuDevice.OpenEmulator(1, tensorCores, size)));
        return Run(shape, backend);
    }

    private List<(string Name, float[] Values)> Run(int[] shape, IBackend backend)
    {
        using Lab lab = new(backend);
        (int rows, int n, int k, int seed) = (shape[0], shape[1], shape[2], 1);
        Tensor x = Floats(rows, k), weight = Floats(n, k), bias = Floats(n, 1), dy = Floats(rows, n);
        Tensor y = lab.Output(dtype, rows, n), logits = lab.Output(DType.F32, rows, n), dx = lab.Output(dtype, rows, k);
        Tensor dWeight = lab.Floats(DType.F32, Inputs.Normal(90, DType.F32, n * k), n, k), dBias = lab.Floats(DType.F32, Inputs.Normal(91, DType.F32, n), n);
        backend.Linear.Forward(y, x, new(weight), bias);
        backend.Linear.Forward(logits, x, new(weight));
        backend.Linear.BackwardInput(dx, dy, new(weight));
        backend.Linear.BackwardWeight(dWeight, dBias, dy, x);
        List<(string, float[])> results = [("y", lab.Read(y)), ("logits", lab.Read(logits)), ("dx", lab.Read(dx)), ("dW", lab.Read(dWeight)), ("db", lab.Read(dBias))];
        if (dtype == DType.F32) return results;
        Tensor rounded = lab.Output(DType.Bf16, n, k);
        backend.Linear.BackwardWeight(rounded, default, dy, x);
        return [.. results, ("rounded dW", lab.Read(rounded))];

        Tensor Floats(int d0, int d1) => lab.Floats(dtype, Inputs.Normal(seed++, dtype, d0 * d1), d0, d1);
    }
}
