using ILGPU;

namespace Luffy.Kernels.Ilgpu;

/// <summary>The loop <c>for (i = GridStride.First; i &lt; n; i += GridStride.Step)</c> over the elements that are this thread's.</summary>
internal static class GridStride
{
    /// <summary>This thread's place in a grid of one dimension.</summary>
    public static long First => ((long)Grid.IdxX * Group.DimX) + Group.IdxX;

    /// <summary>Threads of that grid.</summary>
    public static long Step => (long)Grid.DimX * Group.DimX;

    /// <summary>The first element of row Grid.IdxX that is this thread's, in the shape of <see cref="IlgpuContext.RowElements"/>.</summary>
    public static int FirstInRow => (Grid.IdxY * Group.DimX) + Group.IdxX;

    /// <summary>Threads of that row.</summary>
    public static int StepInRow => Grid.DimY * Group.DimX;
}
