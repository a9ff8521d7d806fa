namespace Luffy.Kernels.Native;

/// <summary><see cref="ISampling"/> through the table of a native library.</summary>
internal sealed unsafe class NativeSampling(NativeContext context) : ISampling
{
    /// <inheritdoc/>
    public long ScratchBytes(long rows, long vocabulary) =>
        context.Size("Sampling.ScratchBytes", context.Table->SamplingScratchBytes(context.Handle, rows, vocabulary));

    /// <inheritdoc/>
    public void Sample(in Tensor ids, in Tensor logProbs, in Tensor sampledLogProbs, in Tensor logits, in Tensor keys,
        in SamplingOptions options, in Tensor scratch)
    {
        LfTensor a = context.Describe(ids), b = context.Describe(logProbs), c = context.Describe(sampledLogProbs),
            d = context.Describe(logits), e = context.Describe(keys), f = context.Describe(scratch);
        LfSamplingOptions nativeOptions = new()
        {
            Temperature = options.Temperature,
            TopK = options.TopK,
            TopP = options.TopP,
            MinP = options.MinP,
            Seed = options.Seed,
        };
        context.Check("Sampling.Sample", context.Table->SamplingSample(context.Handle, &a, &b, &c, &d, &e, &nativeOptions, &f));
    }
}
