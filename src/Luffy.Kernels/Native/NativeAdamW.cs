namespace Luffy.Kernels.Native;

/// <summary><see cref="IAdamW"/> through the table of a native library.</summary>
internal sealed unsafe class NativeAdamW(NativeContext context) : IAdamW
{
    /// <inheritdoc/>
    public void Update(in Tensor weights, in Tensor remainders, in Tensor m, in Tensor v, in Tensor gradient, in AdamWOptions options)
    {
        LfTensor a = context.Describe(weights), b = context.Describe(remainders), c = context.Describe(m), d = context.Describe(v),
            e = context.Describe(gradient);
        LfAdamWOptions nativeOptions = new()
        {
            LearningRate = options.LearningRate,
            Beta1 = options.Beta1,
            Beta2 = options.Beta2,
            Epsilon = options.Epsilon,
            WeightDecay = options.WeightDecay,
            GradientScale = options.GradientScale,
            Step = options.Step,
            RoundingKey = options.RoundingKey,
        };
        context.Check("AdamW.Update", context.Table->AdamWUpdate(context.Handle, &a, &b, &c, &d, &e, &nativeOptions));
    }

    /// <inheritdoc/>
    public long SquaredNormScratchBytes(long n) =>
        context.Size("AdamW.SquaredNormScratchBytes", context.Table->AdamWSquaredNormScratchBytes(context.Handle, n));

    /// <inheritdoc/>
    public void SquaredNorm(in Tensor result, in Tensor x, in Tensor scratch)
    {
        LfTensor a = context.Describe(result), b = context.Describe(x), c = context.Describe(scratch);
        context.Check("AdamW.SquaredNorm", context.Table->AdamWSquaredNorm(context.Handle, &a, &b, &c));
    }
}
