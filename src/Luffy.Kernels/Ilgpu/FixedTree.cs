using ILGPU;

namespace Luffy.Kernels.Ilgpu;

/// <summary>
/// Sums over a group of threads whose bits depend on neither the group's size nor the device. There are always <see cref="Lanes"/> partial
/// sums: lane l takes the elements l, l + Lanes, l + 2·Lanes … in ascending order, and the lanes are added up in the same tree of halves.
/// A thread looks after the lanes Group.IdxX, Group.IdxX + Group.DimX …: all one of them where a group has <see cref="Lanes"/> threads, as on
/// a GPU, many on the emulator, whose threads are few because they are dear.
/// </summary>
internal static class FixedTree
{
    /// <summary>Partial sums, and the size of group that suits a GPU.</summary>
    public const int Lanes = 256;

    /// <summary>
    /// The sum of all lanes, for every thread of the group. Every thread of the group must call it, after writing its lanes; afterwards the
    /// memory may be used again at once.
    /// </summary>
    /// <param name="lanes">[<see cref="Lanes"/>] of shared memory; overwritten.</param>
    public static float Sum(ArrayView<float> lanes)
    {
        Group.Barrier();
        for (int width = Lanes / 2; width > 0; width /= 2)
        {
            for (int lane = Group.IdxX; lane < width; lane += Group.DimX) lanes[lane] += lanes[lane + width];
            Group.Barrier();
        }

        float sum = lanes[0];
        Group.Barrier();
        return sum;
    }
}
