using System.Diagnostics;

namespace Luffy.Engine.Benchmarks;

/// <summary>Repetition of a piece of work.</summary>
internal static class Stopwatches
{
    /// <summary>Seconds of each repetition that counts.</summary>
    public static double[] Measure(BenchmarkOptions options, Action work) => Measure(options, () =>
    {
        long begin = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(begin).TotalSeconds;
    });

    /// <summary>What each repetition that counts says it took.</summary>
    public static double[] Measure(BenchmarkOptions options, Func<double> work)
    {
        for (int i = 0; i < options.Warmup; i++) work();
        var seconds = new double[options.Repeat];
        for (int i = 0; i < seconds.Length; i++) seconds[i] = work();
        return seconds;
    }
}
