namespace Luffy.Kernels.Native;

/// <summary><see cref="IEmbedding"/> through the table of a native library.</summary>
internal sealed unsafe class NativeEmbedding(NativeContext context) : IEmbedding
{
    /// <inheritdoc/>
    public void Forward(in Tensor y, in LinearWeight weight, in Tensor ids)
    {
        LfTensor a = context.Describe(y), b = context.DescribeValues(weight), c = context.Describe(weight.Packed), d = context.Describe(ids);
        context.Check("Embedding.Forward", context.Table->EmbeddingForward(context.Handle, &a, &b, &c, &d));
    }

    /// <inheritdoc/>
    public void Backward(in Tensor dWeight, in Tensor dy, in Tensor ids)
    {
        LfTensor a = context.Describe(dWeight), b = context.Describe(dy), c = context.Describe(ids);
        context.Check("Embedding.Backward", context.Table->EmbeddingBackward(context.Handle, &a, &b, &c));
    }
}
