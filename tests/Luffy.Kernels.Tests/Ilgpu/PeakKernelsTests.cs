using ILGPU;
using Luffy.Kernels.Ilgpu;
using Luffy.Kernels.Ilgpu.Products;

namespace Luffy.Kernels.Tests.Ilgpu;

/// <summary>The kernels that measure a device do the work that their rates count: every step and every byte.</summary>
[NonParallelizable]
public sealed class PeakKernelsTests
{
    private const int Groups = 3, Threads = 4, All = Groups * Threads;
    private IlgpuContext? _context;
    private IlgpuBuffer? _buffer;

    [SetUp]
    public void Open()
    {
        _context = new IlgpuContext(IlgpuDevice.OpenEmulator(Threads));
        _buffer = new IlgpuBuffer(_context, "test", 1 << 16);
    }

    [TearDown]
    public void Close()
    {
        _buffer?.Dispose();
        _context?.Dispose();
    }

    [Test]
    public void Every_multiply_add_is_done()
    {
        const float factor = -0.97f, addend = 0.3f;
        const int iterations = 3;
        _context!.Launch(PeakKernels.MultiplyAdds, new KernelConfig(Groups, Threads), _buffer!.Elements<float>(0, All), factor, addend, iterations);
        float[] results = new float[All];
        _context.Download<float>(_buffer.View(0, DType.F32, All), results);
        for (int thread = 0; thread < All; thread++)
        {
            float sum = 0;
            int steps = 0;
            for (int chain = 0; chain < Chains.Count; chain++)
            {
                float x = thread + chain;
                for (int step = 0; step < 8 * iterations; step++, steps++) x = MathF.FusedMultiplyAdd(x, factor, addend);
                sum += x;
            }

            Assert.That(results[thread], Is.EqualTo(sum), $"thread {thread}");
            Assert.That(steps, Is.EqualTo(iterations * PeakKernels.StepsOfIteration));
        }
    }

    [Test]
    public void Every_tensor_product_is_done()
    {
        const int iterations = 2, lanes = TensorCore.Lanes;
        using IlgpuContext warp = new(IlgpuDevice.OpenEmulator(lanes));
        using IlgpuBuffer buffer = new(warp, "test", lanes * sizeof(float));
        warp.Launch(PeakKernels.TensorMultiplyAdds, new KernelConfig(1, lanes), buffer.Elements<float>(0, lanes), iterations);
        float[] results = new float[lanes];
        warp.Download<float>(buffer.View(0, DType.F32, lanes), results);

        // The sum of all lanes is that of all elements of the product, from the operands that each lane made.
        double expected = 0;
        for (int depth = 0; depth < 16; depth++)
        {
            double rows = 0, columns = 0;
            for (int group = 0; group < 8; group++)
            {
                int lane = (4 * group) + (depth % 8 / 2), further = depth / 8;
                rows += Element(lane, 2 * further, depth) + Element(lane, (2 * further) + 1, depth);
                columns += Element(lane, 4 + further, depth);
            }

            expected += rows * columns;
        }

        expected *= iterations * FragmentChains.Count;
        Assert.That(results.Sum(x => (double)x), Is.EqualTo(expected).Within(1e-3));
        Assert.That(PeakKernels.WarpStepsOfIteration, Is.EqualTo(FragmentChains.Count * 2048));

        static float Element(int lane, int word, int depth)
        {
            float value = BFloat16.ToSingle((ushort)(PeakKernels.Pair((uint)((6 * lane) + word)) >> (16 * (depth % 2))));
            Assert.That(Math.Abs(value), Is.InRange(0.5, 1));
            return value;
        }
    }

    [TestCase(1), TestCase(48), TestCase(107)]
    public void Every_byte_is_read(int quads)
    {
        int words = 4 * quads;
        _context!.Launch(PeakKernels.Fill, new KernelConfig(Groups, Threads), _buffer!.Elements<uint>(0, words));
        byte[] bytes = new byte[4 * words];
        _context.Download<byte>(_buffer.View(0, DType.U8, bytes.Length), bytes);
        uint expected = 0;
        for (int i = 0; i < words; i++)
        {
            Assert.That(BitConverter.ToUInt32(bytes, 4 * i), Is.EqualTo(PeakKernels.Scramble((uint)i)));
            expected ^= BitConverter.ToUInt32(bytes, 4 * i);
        }

        _context.Launch(PeakKernels.Read, new KernelConfig(Groups, Threads), _buffer.Elements<uint>(1 << 15, All), _buffer.Elements<Words4>(0, quads));
        byte[] folds = new byte[4 * All];
        _context.Download<byte>(_buffer.View(1 << 15, DType.U8, folds.Length), folds);
        uint fold = 0;
        for (int i = 0; i < All; i++) fold ^= BitConverter.ToUInt32(folds, 4 * i);
        Assert.That(fold, Is.EqualTo(expected));
    }
}
