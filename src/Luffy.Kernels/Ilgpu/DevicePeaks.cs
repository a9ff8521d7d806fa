using System.Diagnostics;
using ILGPU;
using Luffy.Kernels.Ilgpu.Products;

namespace Luffy.Kernels.Ilgpu;

/// <summary>What a device does at best, measured: the ceilings that kernels are held against.</summary>
internal sealed class DevicePeaks(IlgpuContext context)
{
    // Groups of a multiprocessor: with these registers, as many as run at once; and as many as keep memory busy.
    private const int Threads = 256, ComputingGroups = 4, ReadingGroups = 8;

    // More than any cache.
    private const long ReadBytes = 512L << 20;

    // Long enough that launching and waiting do not show, and that a device which was idle has raised its clock.
    private const double SecondsOfTry = 0.005, SecondsOfAll = 0.25;

    /// <summary>Operations a second of f32 fused multiply-adds, each counting as two.</summary>
    public double MultiplyAdds()
    {
        KernelConfig shape = Shape(ComputingGroups);
        long threads = shape.GridDim.Size * shape.GroupDim.Size;
        using IlgpuBuffer results = new(context, "results of multiply-adds", threads * sizeof(float));
        ArrayView<float> view = results.Elements<float>(0, threads);
        // Values swing about 0.125 and come nearer so slowly that they never stand still.
        return BestRate(iterations => context.Launch(PeakKernels.MultiplyAdds, shape, view, -0.999999f, 0.25f, iterations),
            2.0 * PeakKernels.StepsOfIteration * threads);
    }

    /// <summary>Operations a second of bf16 products by tensor cores through mma.sync, the only way there that ILGPU has.</summary>
    public double TensorMultiplyAdds()
    {
        KernelConfig shape = Shape(ComputingGroups);
        long threads = shape.GridDim.Size * shape.GroupDim.Size;
        using IlgpuBuffer results = new(context, "results of tensor products", threads * sizeof(float));
        ArrayView<float> view = results.Elements<float>(0, threads);
        return BestRate(iterations => context.Launch(PeakKernels.TensorMultiplyAdds, shape, view, iterations),
            2.0 * PeakKernels.WarpStepsOfIteration * threads / TensorCore.Lanes);
    }

    /// <summary>Bytes a second read from memory.</summary>
    public double Reads()
    {
        KernelConfig shape = Shape(ReadingGroups);
        long threads = shape.GridDim.Size * shape.GroupDim.Size;
        using IlgpuBuffer words = new(context, "bytes to read", ReadBytes), folds = new(context, "folds of what was read", threads * sizeof(uint));
        context.Launch(PeakKernels.Fill, shape, words.Elements<uint>(0, ReadBytes / sizeof(uint)));
        ArrayView<uint> results = folds.Elements<uint>(0, threads);
        ArrayView<Words4> view = words.Elements<Words4>(0, ReadBytes / Interop.SizeOf<Words4>());
        return BestRate(
            passes =>
            {
                for (int i = 0; i < passes; i++) context.Launch(PeakKernels.Read, shape, results, view);
            },
            ReadBytes);
    }

    private KernelConfig Shape(int groups) => new(context.Multiprocessors * groups, context.GroupSize(Threads));

    // Best of several tries: whatever else uses the device only ever slows one down.
    private double BestRate(Action<int> work, double amountOfOne)
    {
        int count = 1;
        while (Seconds(count) < SecondsOfTry) count *= 2;
        long begin = Stopwatch.GetTimestamp();
        double least = Seconds(count);
        while (Stopwatch.GetElapsedTime(begin).TotalSeconds < SecondsOfAll) least = Math.Min(least, Seconds(count));
        return count * amountOfOne / least;

        double Seconds(int n)
        {
            context.Synchronize();
            long start = Stopwatch.GetTimestamp();
            work(n);
            context.Synchronize();
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }
}
