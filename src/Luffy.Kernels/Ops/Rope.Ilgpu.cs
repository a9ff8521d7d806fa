using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary><see cref="IRope"/> on any GPU.</summary>
internal sealed class RopeIlgpu(IlgpuContext context) : IRope
{
    /// <inheritdoc/>
    public void Forward(in Tensor qkv, in Tensor positions, in Tensor table, int rotatedHeads) =>
        Rotate("Rope.Forward", qkv, positions, table, rotatedHeads, direction: 1);

    /// <inheritdoc/>
    public void Backward(in Tensor dQkv, in Tensor positions, in Tensor table, int rotatedHeads) =>
        Rotate("Rope.Backward", dQkv, positions, table, rotatedHeads, direction: -1);

    private void Rotate(string operation, in Tensor qkv, in Tensor positions, in Tensor table, int rotatedHeads, float direction)
    {
        int width = (int)RopeChecks.Rotate(operation, qkv, positions, table, rotatedHeads);
        context.CheckOwn(qkv, positions, table);
        Checks.Range(operation, "positions", context.Integers(positions), table.D0);
        if (qkv.DType == DType.F32) Rotate<F32Storage>(qkv, positions, table, rotatedHeads, width, direction);
        else Rotate<Bf16Storage>(qkv, positions, table, rotatedHeads, width, direction);
    }

    private void Rotate<T>(in Tensor qkv, in Tensor positions, in Tensor table, int rotatedHeads, int width, float direction)
        where T : unmanaged, IStorage<T> => context.Launch(RopeKernels.Rotate<T>, context.RowElements(qkv.D0, (long)rotatedHeads * width / 2),
            context.View<T>(qkv), context.View<int>(positions), context.View<float>(table), (int)qkv.RowLength, rotatedHeads, width, direction);
}

/// <summary>The kernel of <see cref="RopeIlgpu"/>.</summary>
internal static class RopeKernels
{
    /// <summary>A row of the grid for each token, a thread for each pair that turns, in the shape of <see cref="IlgpuContext.RowElements"/>.</summary>
    [Kernel]
    public static void Rotate<T>(ArrayView<T> qkv, ArrayView<int> positions, ArrayView<float> table, int rowLength, int rotatedHeads, int width,
        float direction) where T : unmanaged, IStorage<T>
    {
        RotatedPair<T> body = new()
        {
            Qkv = qkv.SubView((long)Grid.IdxX * rowLength, rowLength),
            Angles = table.SubView((long)positions[Grid.IdxX] * width, width),
            Half = width / 2,
            Direction = direction,
        };
        GridStride.ForEach<RotatedPair<T>, PairAndAngle<T>>(body, GridStride.FirstInRow, GridStride.StepInRow, rotatedHeads * (width / 2));
    }

    private struct PairAndAngle<T> where T : unmanaged
    {
        public T First, Second;

        public float Cos, Sin;
    }

    private struct RotatedPair<T> : IElementwise<PairAndAngle<T>> where T : unmanaged, IStorage<T>
    {
        public ArrayView<T> Qkv;

        public ArrayView<float> Angles;

        public int Half;

        public float Direction;

        public readonly PairAndAngle<T> Read(int pair)
        {
            int head = pair / Half, i = pair - (head * Half), at = pair + (head * Half);
            return new() { First = Qkv[at], Second = Qkv[at + Half], Cos = Angles[i], Sin = Angles[Half + i] };
        }

        public readonly void Write(int pair, PairAndAngle<T> read)
        {
            int at = pair + (pair / Half * Half);
            float a = T.Load(read.First), b = T.Load(read.Second), sin = Direction * read.Sin;
            Qkv[at] = T.Store(DeviceMath.FusedMultiplyAdd(a, read.Cos, -(b * sin)));
            Qkv[at + Half] = T.Store(DeviceMath.FusedMultiplyAdd(b, read.Cos, a * sin));
        }
    }
}
