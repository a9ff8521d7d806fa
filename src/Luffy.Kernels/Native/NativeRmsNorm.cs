namespace Luffy.Kernels.Native;

/// <summary><see cref="IRmsNorm"/> through the table of a native library.</summary>
internal sealed unsafe class NativeRmsNorm(NativeContext context) : IRmsNorm
{
    /// <inheritdoc/>
    public void Forward(in Tensor y, in Tensor rstd, in Tensor x, in Tensor weight, float epsilon)
    {
        LfTensor a = context.Describe(y), b = context.Describe(rstd), c = context.Describe(x), d = context.Describe(weight);
        context.Check("RmsNorm.Forward", context.Table->RmsNormForward(context.Handle, &a, &b, &c, &d, epsilon));
    }

    /// <inheritdoc/>
    public void AddForward(in Tensor y, in Tensor sum, in Tensor rstd, in Tensor x, in Tensor delta, in Tensor weight, float epsilon)
    {
        LfTensor a = context.Describe(y), b = context.Describe(sum), c = context.Describe(rstd), d = context.Describe(x),
            e = context.Describe(delta), f = context.Describe(weight);
        context.Check("RmsNorm.AddForward", context.Table->RmsNormAddForward(context.Handle, &a, &b, &c, &d, &e, &f, epsilon));
    }

    /// <inheritdoc/>
    public void Backward(in Tensor dx, in Tensor dWeight, in Tensor dy, in Tensor x, in Tensor rstd, in Tensor weight)
    {
        LfTensor a = context.Describe(dx), b = context.Describe(dWeight), c = context.Describe(dy), d = context.Describe(x),
            e = context.Describe(rstd), f = context.Describe(weight);
        context.Check("RmsNorm.Backward", context.Table->RmsNormBackward(context.Handle, &a, &b, &c, &d, &e, &f));
    }

    /// <inheritdoc/>
    public void AddBackward(in Tensor dx, in Tensor dWeight, in Tensor dy, in Tensor dResidual, in Tensor x, in Tensor rstd,
        in Tensor weight)
    {
        LfTensor a = context.Describe(dx), b = context.Describe(dWeight), c = context.Describe(dy), d = context.Describe(dResidual),
            e = context.Describe(x), f = context.Describe(rstd), g = context.Describe(weight);
        context.Check("RmsNorm.AddBackward", context.Table->RmsNormAddBackward(context.Handle, &a, &b, &c, &d, &e, &f, &g));
    }
}
