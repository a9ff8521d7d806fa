using BenchmarkDotNet.Attributes;
using Luffy.Engine.Benchmarks.Kernels;
using Luffy.Kernels;

namespace Luffy.Benchmarks;

/// <summary>What the benchmarks of all operations share: a case, its operands, one call. LUFFY_BACKEND and LUFFY_CPU_ISA choose the backend.</summary>
public abstract class OperationBenchmarks : IDisposable
{
    private IBackend? _backend;
    private KernelMemory? _memory;
    private Action _call = () => { };

    /// <summary>The cases of the operation, in both storage types.</summary>
    public abstract IEnumerable<KernelCase> Cases { get; }

    /// <summary>The case that is measured.</summary>
    [ParamsSource(nameof(Cases))]
    public KernelCase Case { get; set; } = null!;

    /// <summary>Allocates the operands.</summary>
    [GlobalSetup]
    public void Prepare()
    {
        _backend = Backends.Create(new BackendOptions());
        _memory = new KernelMemory(_backend);
        _call = Case.Prepare(_memory);
    }

    /// <summary>Releases them.</summary>
    [GlobalCleanup]
    public void Release()
    {
        _memory?.Dispose();
        _backend?.Dispose();
        (_memory, _backend) = (null, null);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    /// <summary>One call.</summary>
    [Benchmark]
    public void Call()
    {
        _call();
        _backend!.Synchronize();
    }

    /// <summary>A list of cases in both storage types.</summary>
    protected static IEnumerable<KernelCase> Both(Func<DType, IEnumerable<KernelCase>> cases) => cases(DType.F32).Concat(cases(DType.Bf16));
}

/// <summary>Products of linear layers.</summary>
public class LinearBenchmarks : OperationBenchmarks
{
    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Cases => Both(LinearCases.All);
}

/// <summary>Attention.</summary>
public class AttentionBenchmarks : OperationBenchmarks
{
    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Cases => Both(AttentionCases.All);
}

/// <summary>Head and loss.</summary>
public class PolicyLossBenchmarks : OperationBenchmarks
{
    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Cases => Both(PolicyLossCases.All);
}

/// <summary>Norms.</summary>
public class RmsNormBenchmarks : OperationBenchmarks
{
    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Cases => Both(d => ElementwiseCases.RmsNorm(d, KernelBenchmark.StandardTokens));
}

/// <summary>Gated layers.</summary>
public class SwiGluBenchmarks : OperationBenchmarks
{
    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Cases => Both(d => ElementwiseCases.SwiGlu(d, KernelBenchmark.StandardTokens));
}

/// <summary>Rotary positions.</summary>
public class RopeBenchmarks : OperationBenchmarks
{
    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Cases => Both(d => ElementwiseCases.Rope(d, KernelBenchmark.StandardTokens));
}

/// <summary>Ranges of columns.</summary>
public class ColumnsBenchmarks : OperationBenchmarks
{
    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Cases => Both(d => ElementwiseCases.Columns(d, KernelBenchmark.StandardTokens));
}

/// <summary>Look-ups.</summary>
public class EmbeddingBenchmarks : OperationBenchmarks
{
    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Cases => Both(d => ElementwiseCases.Embedding(d, KernelBenchmark.StandardTokens));
}

/// <summary>The optimiser.</summary>
public class AdamWBenchmarks : OperationBenchmarks
{
    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Cases => Both(d => ElementwiseCases.AdamW(d));
}

/// <summary>Draws.</summary>
public class SamplingBenchmarks : OperationBenchmarks
{
    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Cases => Both(ElementwiseCases.Sampling);
}
