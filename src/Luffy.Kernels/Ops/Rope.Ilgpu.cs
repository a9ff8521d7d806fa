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
        int half = width / 2;
        long row = (long)Grid.IdxX * rowLength, angles = (long)positions[Grid.IdxX] * width;
        for (int pair = GridStride.FirstInRow; pair < rotatedHeads * half; pair += GridStride.StepInRow)
        {
            int head = pair / half, i = pair - (head * half);
            long first = row + ((long)head * width) + i, second = first + half;
            float a = T.Load(qkv[first]), b = T.Load(qkv[second]), cos = table[angles + i], sin = direction * table[angles + half + i];
            qkv[first] = T.Store(DeviceMath.FusedMultiplyAdd(a, cos, -(b * sin)));
            qkv[second] = T.Store(DeviceMath.FusedMultiplyAdd(b, cos, a * sin));
        }
    }
}
