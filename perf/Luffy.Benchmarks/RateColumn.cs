using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using Luffy.Engine.Benchmarks.Kernels;
using Luffy.Kernels;

namespace Luffy.Benchmarks;

/// <summary>A column worked out from a case and the mean time of its call.</summary>
/// <param name="name">Its head.</param>
/// <param name="legend">What it shows.</param>
/// <param name="rate">From a case and seconds to a number, or null where the case has none.</param>
internal sealed class RateColumn(string name, string legend, Func<KernelCase, double, double?> rate) : IColumn
{
    public string Id => nameof(RateColumn) + name;

    public string ColumnName => name;

    public bool AlwaysShow => true;

    public ColumnCategory Category => ColumnCategory.Custom;

    public int PriorityInCategory => 0;

    public bool IsNumeric => true;

    public UnitType UnitType => UnitType.Dimensionless;

    public string Legend => legend;

    /// <summary>GFLOP/s, GB/s, and the share of whichever limits the case.</summary>
    public static IColumn[] All(MachineLimits limits) =>
    [
        new RateColumn("GFLOP/s", "Arithmetic that any implementation needs", (c, s) => c.Operations > 0 ? c.Operations / s * 1e-9 : null),
        new RateColumn("GB/s", "Bytes that any implementation reads and writes", (c, s) => c.Bytes > 0 ? c.Bytes / s * 1e-9 : null),
        new RateColumn("% of peak", "Of the measured arithmetic of the storage type, or of the measured read bandwidth; caches may be faster than memory",
            (c, s) => c.Operations > 0 ? 100 * c.Operations / s / limits.Operations(c.DType) : 100 * c.Bytes / s / limits.Bandwidth),
    ];

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase) => GetValue(summary, benchmarkCase, SummaryStyle.Default);

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style)
    {
        if (summary[benchmarkCase]?.ResultStatistics is not { } statistics || benchmarkCase.Parameters[nameof(OperationBenchmarks.Case)] is not KernelCase kernel) return "?";
        return rate(kernel, statistics.Mean * 1e-9)?.ToString("0.0", CultureInfo.InvariantCulture) ?? "";
    }

    public bool IsAvailable(Summary summary) => true;

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;
}

/// <summary>What the machine can do at best, measured when it is first asked for.</summary>
internal sealed class MachineLimits
{
    private readonly Lazy<(double? F32, double? Bf16, double? Bandwidth)> _measured = new(() =>
    {
        using IBackend backend = Backends.Create(new BackendOptions());
        return (backend.MeasureArithmetic(DType.F32), backend.MeasureArithmetic(DType.Bf16), backend.MeasureBandwidth());
    });

    public double? Bandwidth => _measured.Value.Bandwidth;

    public double? Operations(DType dtype) => dtype == DType.Bf16 ? _measured.Value.Bf16 : _measured.Value.F32;
}
