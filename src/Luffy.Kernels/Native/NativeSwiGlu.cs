namespace Luffy.Kernels.Native;

/// <summary><see cref="ISwiGlu"/> through the table of a native library.</summary>
internal sealed unsafe class NativeSwiGlu(NativeContext context) : ISwiGlu
{
    /// <inheritdoc/>
    public void Forward(in Tensor y, in Tensor gateUp)
    {
        LfTensor a = context.Describe(y), b = context.Describe(gateUp);
        context.Check("SwiGlu.Forward", context.Table->SwiGluForward(context.Handle, &a, &b));
    }

    /// <inheritdoc/>
    public void Backward(in Tensor dGateUp, in Tensor dy, in Tensor gateUp)
    {
        LfTensor a = context.Describe(dGateUp), b = context.Describe(dy), c = context.Describe(gateUp);
        context.Check("SwiGlu.Backward", context.Table->SwiGluBackward(context.Handle, &a, &b, &c));
    }
}
