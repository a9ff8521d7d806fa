using System.Text.RegularExpressions;
using ILGPU;
using ILGPU.Runtime;
using Luffy.Kernels.Ilgpu;
using Luffy.Kernels.Ilgpu.Products;

namespace Luffy.Kernels.Tests.Ilgpu;

/// <summary>Who holds what of a product by tensor cores, against the formulas of the PTX ISA, and that the instruction is what kernels become.</summary>
public sealed class TensorCoreTests
{
    private const int Lanes = 32, Rows = 16, Columns = 8, Depth = 16;

    /// <summary>One instruction of one warp: each lane takes its own words and leaves its own sums.</summary>
    public static void OneInstruction(ArrayView<float> sums, ArrayView<uint> a, ArrayView<uint> b)
    {
        int lane = ILGPU.Group.IdxX;
        RowFragment rows = new() { Upper = a[4 * lane], Lower = a[(4 * lane) + 1], UpperFurther = a[(4 * lane) + 2], LowerFurther = a[(4 * lane) + 3] };
        ColumnFragment columns = new() { Word = b[2 * lane], Further = b[(2 * lane) + 1] };
        SumFragment before = new() { UpperLeft = sums[4 * lane], UpperRight = sums[(4 * lane) + 1], LowerLeft = sums[(4 * lane) + 2], LowerRight = sums[(4 * lane) + 3] };
        SumFragment after = TensorCore.MultiplyAdd(before, rows, columns);
        sums[4 * lane] = after.UpperLeft;
        sums[(4 * lane) + 1] = after.UpperRight;
        sums[(4 * lane) + 2] = after.LowerLeft;
        sums[(4 * lane) + 3] = after.LowerRight;
    }

    [Test]
    public void Fragments_lie_as_the_instruction_wants_them()
    {
        float[] a = Inputs.Normal(1, DType.Bf16, Rows * Depth), b = Inputs.Normal(2, DType.Bf16, Depth * Columns), c = Inputs.Normal(3, DType.F32, Rows * Columns);
        uint[] ofA = new uint[4 * Lanes], ofB = new uint[2 * Lanes];
        float[] sums = new float[4 * Lanes];
        for (int lane = 0; lane < Lanes; lane++)
        {
            int group = lane >> 2, inGroup = lane % 4;
            for (int i = 0; i < 8; i++)
            {
                int row = i is (>= 0 and < 2) or (>= 4 and < 6) ? group : group + 8, depth = (inGroup * 2) + (i & 1) + (i < 4 ? 0 : 8);
                ofA[(4 * lane) + (i / 2)] |= (uint)BFloat16.FromSingle(a[(row * Depth) + depth]) << (16 * (i & 1));
            }

            for (int i = 0; i < 4; i++)
            {
                int depth = (inGroup * 2) + (i & 1) + (i < 2 ? 0 : 8);
                ofB[(2 * lane) + (i / 2)] |= (uint)BFloat16.FromSingle(b[(depth * Columns) + group]) << (16 * (i & 1));
            }

            for (int i = 0; i < 4; i++) sums[(4 * lane) + i] = c[PlaceOfSum(lane, i)];
        }

        IlgpuDevice device = IlgpuDevice.OpenEmulator(Lanes);
        using Context context = device.Context;
        using Accelerator accelerator = device.Accelerator;
        using MemoryBuffer1D<float, Stride1D.Dense> sumBuffer = accelerator.Allocate1D(sums);
        using MemoryBuffer1D<uint, Stride1D.Dense> aBuffer = accelerator.Allocate1D(ofA), bBuffer = accelerator.Allocate1D(ofB);
        accelerator.LoadKernel<ArrayView<float>, ArrayView<uint>, ArrayView<uint>>(OneInstruction)(accelerator.DefaultStream,
            new KernelConfig(1, Lanes), sumBuffer.View, aBuffer.View, bBuffer.View);
        accelerator.Synchronize();
        sumBuffer.CopyToCPU(sums);

        float[] actual = new float[Rows * Columns], expected = new float[Rows * Columns];
        for (int i = 0; i < 4 * Lanes; i++) actual[PlaceOfSum(i / 4, i % 4)] = sums[i];
        for (int i = 0; i < expected.Length; i++)
        {
            expected[i] = c[i];
            for (int d = 0; d < Depth; d++) expected[i] = MathF.FusedMultiplyAdd(a[(i / Columns * Depth) + d], b[(d * Columns) + (i % Columns)], expected[i]);
        }

        Expect.SameBits("sums", actual, expected);
    }

    /// <summary>The smallest tile multiplies two depths at a time, and what is left of a stage.</summary>
    [TestCase("TensorProduct<Warp16x8, Warps1x4x128>", 3), TestCase("TensorProduct<Warp32x32, Warps2x2x32>", 8)]
    [TestCase("TensorProduct<Warp64x32, Warps2x4x32>", 16)]
    public void Kernels_hold_an_instruction_for_each_of_their_fragments(string tile, int instructions)
    {
        using PtxCompiler compiler = new(8, 0);
        string text = compiler.Compile(KernelRegistry.All[$"Linear.Forward<Bf16Storage, {tile}>"]);
        Assert.That(Regex.Count(text, @"mma\.sync\.aligned\.m16n8k16\.row\.col\.f32\.bf16\.bf16\.f32"), Is.EqualTo(instructions));
        Assert.That(text, Does.Not.Contain(".local"), "something is not in registers");
    }

    private static int PlaceOfSum(int lane, int i) => (((lane >> 2) + (i < 2 ? 0 : 8)) * Columns) + (lane % 4 * 2) + (i & 1);
}
