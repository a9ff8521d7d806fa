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

    /// <summary>
    /// Does something to the elements first, first + step, first + 2·step … below n. A thread reads four of them before it writes any: with as few
    /// bytes as bf16 has, one at a time would not keep a GPU's memory busy, and no compiler reorders reads and writes that may meet.
    /// </summary>
    public static void ForEach<TBody, TRead>(TBody body, int first, int step, int n)
        where TBody : struct, IElementwise<TRead>
        where TRead : unmanaged
    {
        int last = n - 1;
        for (int i = first; i < n; i += 4 * step)
        {
            int j = i + step, k = j + step, l = k + step;
            // Beyond the end the last element is read again and then not written.
            TRead atI = body.Read(i), atJ = body.Read(IntrinsicMath.Min(j, last));
            TRead atK = body.Read(IntrinsicMath.Min(k, last)), atL = body.Read(IntrinsicMath.Min(l, last));
            body.Write(i, atI);
            if (j < n) body.Write(j, atJ);
            if (k < n) body.Write(k, atK);
            if (l < n) body.Write(l, atL);
        }
    }
}

/// <summary>What a kernel does to each element of a row, for <see cref="GridStride.ForEach"/>.</summary>
/// <typeparam name="TRead">What it reads.</typeparam>
internal interface IElementwise<TRead> where TRead : unmanaged
{
    /// <summary>Reads what element <paramref name="i"/> needs, and changes nothing.</summary>
    TRead Read(int i);

    /// <summary>Computes and writes it.</summary>
    void Write(int i, TRead read);
}
