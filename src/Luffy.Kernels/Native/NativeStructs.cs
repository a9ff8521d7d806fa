using System.Runtime.InteropServices;

namespace Luffy.Kernels.Native;

/// <summary>Mirror of <c>lf_tensor</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LfTensor
{
    public nint Data;
    public long D0, D1, D2, D3;
    public int DType;
    public int Reserved;
}

/// <summary>Mirror of <c>lf_context_options</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LfContextOptions
{
    public int Threads;
    public int Fast;
    public nint Isa;
}

/// <summary>Mirror of <c>lf_attention_shape</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LfAttentionShape
{
    public int Heads, KeyValueHeads, HeadDim;
    public float Scale;

    public LfAttentionShape(in AttentionShape shape) =>
        (Heads, KeyValueHeads, HeadDim, Scale) = (shape.Heads, shape.KeyValueHeads, shape.HeadDim, shape.Scale);
}

/// <summary>Mirror of <c>lf_sampling_options</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LfSamplingOptions
{
    public float Temperature;
    public int TopK;
    public float TopP, MinP;
    public ulong Seed;
}

/// <summary>Mirror of <c>lf_adamw_options</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LfAdamWOptions
{
    public float LearningRate, Beta1, Beta2, Epsilon, WeightDecay, GradientScale;
    public long Step;
    public ulong RoundingKey;
}

/// <summary>Mirror of <c>lf_policy_options</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LfPolicyOptions
{
    public float Temperature;
    public int OffShaping;
    public float OffGamma, OffExponent, OffLogProbWeight, OffMinWeight, OffMaxWeight, OffUniform;
    public int BehaviorShaping;
    public float BehaviorGamma;
    public int OnShaping;
    public float OnGamma, OnExponent, OnLogProbWeight;
    public int Clip;
    public float Epsilon, EpsilonHigh, MaxProbability, EntropyCoefficient, KlCoefficient;
    public int KlEstimator;
}

/// <summary>Mirror of <c>lf_policy_tokens</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LfPolicyTokens
{
    public LfTensor Targets, Advantages, OldLogProbs, OffPolicy, Weights, BehaviorLogProbs, ReferenceLogProbs;
}
