using System.Reflection;
using ILGPU;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;

namespace Luffy.Kernels.Ilgpu.Products;

/// <summary>
/// A lane's part of 16×16 bf16 elements [row, depth], two consecutive ones of depth in a word. With g = lane / 4 and t = lane mod 4 they are the
/// rows g (<see cref="Upper"/>) and g + 8 (<see cref="Lower"/>) at depth 2t and 2t + 1, and 8 further.
/// </summary>
internal struct RowFragment
{
    /// <summary>Words at depth 2t, 2t + 1.</summary>
    public uint Upper, Lower;

    /// <summary>Words at depth 2t + 8, 2t + 9.</summary>
    public uint UpperFurther, LowerFurther;
}

/// <summary>A lane's part of 8×16 bf16 elements [column, depth]: column g at depth 2t and 2t + 1, and 8 further.</summary>
internal struct ColumnFragment
{
    /// <summary>The word at depth 2t, 2t + 1, and that at 2t + 8, 2t + 9.</summary>
    public uint Word, Further;
}

/// <summary>A lane's part of 16×8 sums: rows g and g + 8 at columns 2t and 2t + 1.</summary>
internal struct SumFragment
{
    /// <summary>Row g.</summary>
    public float UpperLeft, UpperRight;

    /// <summary>Row g + 8.</summary>
    public float LowerLeft, LowerRight;
}

/// <summary>
/// The tensor cores of NVIDIA's GPUs since compute capability 8.0, by their instruction mma.sync.m16n8k16 for bf16. Fragments lie as the PTX ISA
/// says under "Matrix Fragments for mma.m16n8k16 with floating point type". In what order and with how many bits the hardware adds up 16 products
/// and the sum is not documented; it is taken for a function of those values alone, whichever row and column of a fragment they stand in.
/// <para>
/// On the emulator the same call is a chain of fused multiply-adds over ascending depth, made from the fragments of all lanes: that proves who holds
/// what, and nothing about the hardware's rounding. No GPU has run it yet; ptxas assembles it.
/// </para>
/// </summary>
internal static class TensorCore
{
    /// <summary>Lanes of a warp.</summary>
    public const int Lanes = 32;

    /// <summary>Depth of one instruction.</summary>
    public const int Depth = 16;

    /// <summary>sums + rows · columnsᵀ, by all lanes of a warp together.</summary>
    /// <param name="sums">16×8.</param>
    /// <param name="rows">16×16.</param>
    /// <param name="columns">8×16.</param>
    [IntrinsicImplementation]
    public static SumFragment MultiplyAdd(SumFragment sums, RowFragment rows, ColumnFragment columns)
    {
        // The emulator gives new memory for each call, until the group ends: so no lane need wait for the others once more.
        int lane = Group.IdxX % Lanes, g = lane / 4, t = lane % 4;
        ArrayView<Words4> warp = SharedMemory.Allocate<Words4>(2 * Group.DimX).SubView(2 * (Group.IdxX - lane), 2 * Lanes);
        warp[2 * lane] = new Words4 { A = rows.Upper, B = rows.Lower, C = rows.UpperFurther, D = rows.LowerFurther };
        warp[(2 * lane) + 1] = new Words4 { A = columns.Word, B = columns.Further };
        Warp.Barrier();
        for (int quarter = 0; quarter < 8; quarter++)
        {
            bool further = quarter >= 4;
            Words4 row = warp[2 * ((4 * g) + (quarter % 4))];
            Words4 left = warp[(2 * ((8 * t) + (quarter % 4))) + 1], right = warp[(2 * ((8 * t) + 4 + (quarter % 4))) + 1];
            uint upper = further ? row.C : row.A, lower = further ? row.D : row.B;
            uint leftWord = further ? left.B : left.A, rightWord = further ? right.B : right.A;
            sums.UpperLeft = TwoProducts(upper, leftWord, sums.UpperLeft);
            sums.UpperRight = TwoProducts(upper, rightWord, sums.UpperRight);
            sums.LowerLeft = TwoProducts(lower, leftWord, sums.LowerLeft);
            sums.LowerRight = TwoProducts(lower, rightWord, sums.LowerRight);
        }

        return sums;
    }

    /// <summary>Tells ILGPU the instruction.</summary>
    internal static void Register(IntrinsicImplementationManager manager) =>
        manager.RegisterMethod(Method(nameof(MultiplyAdd)), new PTXIntrinsic(Method(nameof(EmitPtx)), IntrinsicImplementationMode.GenerateCode));

    private static float TwoProducts(uint a, uint b, float sum) => DeviceMath.FusedMultiplyAdd(Interop.IntAsFloat(a & 0xFFFF0000u),
        Interop.IntAsFloat(b & 0xFFFF0000u), DeviceMath.FusedMultiplyAdd(Interop.IntAsFloat(a << 16), Interop.IntAsFloat(b << 16), sum));

    private static void EmitPtx(PTXBackend backend, PTXCodeGenerator generator, Value value)
    {
        PTXRegisterAllocator.PrimitiveRegister[] result = Registers(generator.Allocate(value));
        PTXRegisterAllocator.PrimitiveRegister[] sums = Registers(generator.Load(value[0])), rows = Registers(generator.Load(value[1])),
            columns = Registers(generator.Load(value[2]));
        using PTXCodeGenerator.CommandEmitter command = generator.BeginCommand("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32");
        command.AppendVectorArgument(result);
        command.AppendVectorArgument(rows);
        command.AppendVectorArgument(columns);
        command.AppendVectorArgument(sums);
    }

    private static PTXRegisterAllocator.PrimitiveRegister[] Registers(PTXRegisterAllocator.Register register)
    {
        var compound = (PTXRegisterAllocator.CompoundRegister)register;
        return compound.SliceAs<PTXRegisterAllocator.PrimitiveRegister>(0, compound.NumChildren);
    }

    private static MethodInfo Method(string name) => typeof(TensorCore).GetMethod(name, BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)!;
}
