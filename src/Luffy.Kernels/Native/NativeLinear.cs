namespace Luffy.Kernels.Native;

/// <summary><see cref="ILinear"/> through the table of a native library.</summary>
internal sealed unsafe class NativeLinear(NativeContext context) : ILinear
{
    /// <inheritdoc/>
    public long PackedBytes(long n, long k, DType dtype) =>
        context.Size("Linear.PackedBytes", context.Table->LinearPackedBytes(context.Handle, n, k, (int)dtype));

    /// <inheritdoc/>
    public void Pack(in Tensor packed, in Tensor weight)
    {
        LfTensor a = context.Describe(packed), b = context.Describe(weight);
        context.Check("Linear.Pack", context.Table->LinearPack(context.Handle, &a, &b));
    }

    /// <inheritdoc/>
    public void PackRows(in LinearWeight weight, in Tensor rows, long firstRow)
    {
        LfTensor a = context.Describe(weight.Packed), b = context.DescribeValues(weight), c = context.Describe(rows);
        context.Check("Linear.PackRows", context.Table->LinearPackRows(context.Handle, &a, &b, &c, firstRow));
    }

    /// <inheritdoc/>
    public void Unpack(in Tensor rows, in LinearWeight weight, long firstRow = 0)
    {
        LfTensor a = context.Describe(rows), b = context.DescribeValues(weight), c = context.Describe(weight.Packed);
        context.Check("Linear.Unpack", context.Table->LinearUnpack(context.Handle, &a, &b, &c, firstRow));
    }

    /// <inheritdoc/>
    public void Forward(in Tensor y, in Tensor x, in LinearWeight weight, in Tensor bias = default)
    {
        LfTensor a = context.Describe(y), b = context.Describe(x), c = context.DescribeValues(weight),
            d = context.Describe(weight.Packed), e = context.Describe(bias);
        context.Check("Linear.Forward", context.Table->LinearForward(context.Handle, &a, &b, &c, &d, &e));
    }

    /// <inheritdoc/>
    public void BackwardInput(in Tensor dx, in Tensor dy, in LinearWeight weight)
    {
        LfTensor a = context.Describe(dx), b = context.Describe(dy), c = context.DescribeValues(weight),
            d = context.Describe(weight.Packed);
        context.Check("Linear.BackwardInput", context.Table->LinearBackwardInput(context.Handle, &a, &b, &c, &d));
    }

    /// <inheritdoc/>
    public void BackwardWeight(in Tensor dWeight, in Tensor dBias, in Tensor dy, in Tensor x)
    {
        LfTensor a = context.Describe(dWeight), b = context.Describe(dBias), c = context.Describe(dy), d = context.Describe(x);
        context.Check("Linear.BackwardWeight", context.Table->LinearBackwardWeight(context.Handle, &a, &b, &c, &d));
    }
}
