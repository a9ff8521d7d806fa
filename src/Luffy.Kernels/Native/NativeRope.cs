namespace Luffy.Kernels.Native;

/// <summary><see cref="IRope"/> through the table of a native library.</summary>
internal sealed unsafe class NativeRope(NativeContext context) : IRope
{
    /// <inheritdoc/>
    public void Forward(in Tensor qkv, in Tensor positions, in Tensor table, int rotatedHeads)
    {
        LfTensor a = context.Describe(qkv), b = context.Describe(positions), c = context.Describe(table);
        context.Check("Rope.Forward", context.Table->RopeForward(context.Handle, &a, &b, &c, rotatedHeads));
    }

    /// <inheritdoc/>
    public void Backward(in Tensor dQkv, in Tensor positions, in Tensor table, int rotatedHeads)
    {
        LfTensor a = context.Describe(dQkv), b = context.Describe(positions), c = context.Describe(table);
        context.Check("Rope.Backward", context.Table->RopeBackward(context.Handle, &a, &b, &c, rotatedHeads));
    }
}
