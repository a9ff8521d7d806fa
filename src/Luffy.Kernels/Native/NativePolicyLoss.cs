namespace Luffy.Kernels.Native;

/// <summary><see cref="IPolicyLoss"/> through the table of a native library.</summary>
internal sealed unsafe class NativePolicyLoss(NativeContext context) : IPolicyLoss
{
    /// <inheritdoc/>
    public long ScratchBytes(long rows, long hiddenSize, long vocabulary, DType dtype) => context.Size("PolicyLoss.ScratchBytes",
        context.Table->PolicyLossScratchBytes(context.Handle, rows, hiddenSize, vocabulary, (int)dtype));

    /// <inheritdoc/>
    public void LogProb(in Tensor statistics, in Tensor hidden, in LinearWeight head, in Tensor targets, float temperature,
        in Tensor scratch)
    {
        LfTensor a = context.Describe(statistics), b = context.Describe(hidden), c = context.DescribeValues(head),
            d = context.Describe(head.Packed), e = context.Describe(targets), f = context.Describe(scratch);
        context.Check("PolicyLoss.LogProb", context.Table->PolicyLossLogProb(context.Handle, &a, &b, &c, &d, &e, temperature, &f));
    }

    /// <inheritdoc/>
    public void ForwardBackward(in Tensor dHidden, in Tensor dHead, in Tensor statistics, in Tensor hidden, in LinearWeight head,
        in PolicyTokens tokens, in PolicyLossOptions options, in Tensor scratch)
    {
        LfTensor a = context.Describe(dHidden), b = context.Describe(dHead), c = context.Describe(statistics),
            d = context.Describe(hidden), e = context.DescribeValues(head), f = context.Describe(head.Packed),
            g = context.Describe(scratch);
        LfPolicyTokens nativeTokens = Describe(tokens);
        LfPolicyOptions nativeOptions = Describe(options);
        context.Check("PolicyLoss.ForwardBackward", context.Table->PolicyLossForwardBackward(context.Handle, &a, &b, &c, &d, &e, &f,
            &nativeTokens, &nativeOptions, &g));
    }

    private LfPolicyTokens Describe(in PolicyTokens tokens) => new()
    {
        Targets = context.Describe(tokens.Targets),
        Advantages = context.Describe(tokens.Advantages),
        OldLogProbs = context.Describe(tokens.OldLogProbs),
        OffPolicy = context.Describe(tokens.OffPolicy),
        Weights = context.Describe(tokens.Weights),
        BehaviorLogProbs = context.Describe(tokens.BehaviorLogProbs),
        ReferenceLogProbs = context.Describe(tokens.ReferenceLogProbs),
    };

    private static LfPolicyOptions Describe(in PolicyLossOptions options) => new()
    {
        Temperature = options.Temperature,
        OffShaping = (int)options.OffPolicyShaping,
        OffGamma = options.OffPolicyGamma,
        OffExponent = options.OffPolicyExponent,
        OffLogProbWeight = options.OffPolicyLogProbWeight,
        OffMinWeight = options.OffPolicyMinWeight,
        OffMaxWeight = options.OffPolicyMaxWeight,
        OffUniform = options.OffPolicyUniform,
        BehaviorShaping = (int)options.BehaviorShaping,
        BehaviorGamma = options.BehaviorGamma,
        OnShaping = (int)options.OnPolicyShaping,
        OnGamma = options.OnPolicyGamma,
        OnExponent = options.OnPolicyExponent,
        OnLogProbWeight = options.OnPolicyLogProbWeight,
        Clip = options.Clip ? 1 : 0,
        Epsilon = options.Epsilon,
        EpsilonHigh = options.EpsilonHigh,
        MaxProbability = options.MaxProbability,
        EntropyCoefficient = options.EntropyCoefficient,
        KlCoefficient = options.KlCoefficient,
        KlEstimator = (int)options.KlEstimator,
    };
}
