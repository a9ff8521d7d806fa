namespace Luffy.Kernels;

/// <summary>Settings of one AdamW update (Loshchilov and Hutter, arXiv 1711.05101), with PyTorch's meaning of each.</summary>
/// <param name="LearningRate">Step size of this step.</param>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to √v̂.</param>
/// <param name="WeightDecay">Decoupled: weights shrink by LearningRate · WeightDecay.</param>
/// <param name="Step">1 for the first update; corrects the moments' bias.</param>
/// <param name="GradientScale">Multiplied into the gradients first: the clip coefficient.</param>
public readonly record struct AdamWOptions(float LearningRate, float Beta1, float Beta2, float Epsilon, float WeightDecay, long Step,
    float GradientScale = 1);

/// <summary>The optimiser's update, and the norm that clipping needs.</summary>
public interface IAdamW
{
    /// <summary>
    /// g = gradient·scale; m = β₁m + (1−β₁)g; v = β₂v + (1−β₂)g²; master −= lr·(wd·master + m̂/(√v̂ + ε)); weights = master rounded to storage.
    /// </summary>
    /// <param name="weights">[n] F32 or Bf16 =, what the model computes with; absent or the memory of master where that is F32 itself.</param>
    /// <param name="master">[n] F32, updated.</param>
    /// <param name="m">[n] F32, updated.</param>
    /// <param name="v">[n] F32, updated.</param>
    /// <param name="gradient">[n] F32.</param>
    /// <param name="options">Settings.</param>
    void Update(in Tensor weights, in Tensor master, in Tensor m, in Tensor v, in Tensor gradient, in AdamWOptions options);

    /// <summary>Bytes of scratch that <see cref="SquaredNorm"/> needs for n elements.</summary>
    long SquaredNormScratchBytes(long n);

    /// <summary>result[0] = Σ x² in a fixed blocked order; infinite or NaN when any element is.</summary>
    /// <param name="result">[1] F32 =.</param>
    /// <param name="x">[n] F32.</param>
    /// <param name="scratch">[<see cref="SquaredNormScratchBytes"/>] U8.</param>
    void SquaredNorm(in Tensor result, in Tensor x, in Tensor scratch);
}
