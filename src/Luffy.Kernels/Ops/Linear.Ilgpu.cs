using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary><see cref="ILinear"/> on any GPU. The packed form is the rows.</summary>
internal sealed class LinearIlgpu(IlgpuContext context) : ILinear
{
    /// <inheritdoc/>
    public long PackedBytes(long n, long k, DType dtype) => n * k * dtype.Size();

    /// <inheritdoc/>
    public void Pack(in Tensor packed, in Tensor weight)
    {
        LinearChecks.Pack(packed, weight);
        context.CheckOwn(packed, weight);
        context.Copy(new LinearWeight(packed, weight.DType, weight.D0, weight.RowLength).Rows, weight);
    }

    /// <inheritdoc/>
    public void PackRows(in LinearWeight weight, in Tensor rows, long firstRow)
    {
        Tensor range = LinearChecks.PackedRange("Linear.PackRows", weight, rows, firstRow);
        context.CheckOwn(range, rows);
        context.Copy(range, rows);
    }

    /// <inheritdoc/>
    public void Unpack(in Tensor rows, in LinearWeight weight, long firstRow = 0)
    {
        Tensor range = LinearChecks.PackedRange("Linear.Unpack", weight, rows, firstRow);
        context.CheckOwn(range, rows);
        context.Copy(rows, range);
    }

    /// <inheritdoc/>
    public void Forward(in Tensor y, in Tensor x, in LinearWeight weight, in Tensor bias = default) => throw Missing("Linear.Forward");

    /// <inheritdoc/>
    public void BackwardInput(in Tensor dx, in Tensor dy, in LinearWeight weight) => throw Missing("Linear.BackwardInput");

    /// <inheritdoc/>
    public void BackwardWeight(in Tensor dWeight, in Tensor dBias, in Tensor dy, in Tensor x) => throw Missing("Linear.BackwardWeight");

    private static LuffyKernelException Missing(string operation) => new(operation, "not part of this build yet");
}
