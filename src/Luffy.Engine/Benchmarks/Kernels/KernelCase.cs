using Luffy.Kernels;

namespace Luffy.Engine.Benchmarks.Kernels;

/// <summary>One call of one operation at one shape.</summary>
/// <param name="Operation">Name of the operation.</param>
/// <param name="Kind">Which of its functions.</param>
/// <param name="Shape">Dimensions, as people write them.</param>
/// <param name="DType">Storage type.</param>
/// <param name="Operations">Floating-point operations that any implementation needs, a multiply-add as two; 0 where memory is the limit.</param>
/// <param name="Bytes">Bytes that any implementation reads and writes; 0 where arithmetic is the limit.</param>
/// <param name="Prepare">Allocates the operands and returns the call.</param>
public sealed record KernelCase(string Operation, string Kind, string Shape, DType DType, double Operations, double Bytes, Func<KernelMemory, Action> Prepare)
{
    /// <summary>What filters look at.</summary>
    public string Name => $"{Operation} {Kind} {Shape} {DType.Name()}";

    /// <inheritdoc/>
    public override string ToString() => Name;
}
