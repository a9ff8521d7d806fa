namespace Luffy.Kernels;

/// <summary>
/// Argument checks of <see cref="IPolicyLoss"/> for the managed backends, but for the range of targets, which each reads in its own way.
/// </summary>
internal static class PolicyLossChecks
{
    /// <summary>Rows of the statistics.</summary>
    public const int Statistics = 8;

    public static void LogProb(string operation, in Tensor statistics, in Tensor hidden, in Tensor head, in Tensor targets, float temperature,
        in Tensor scratch, IPolicyLoss loss)
    {
        long rows = targets.Exists ? targets.Length : 0;
        string? problem =
            !Checks.IsFloat(head) ? "head must be f32 or bf16 [V, H]" :
            !Checks.IsMatrix(hidden, head.DType, rows, head.RowLength) ? "hidden must be [R, H] of the dtype of head" :
            !Checks.IsVector(targets, DType.I32, rows) ? "targets must be i32 [R]" :
            !Checks.IsMatrix(statistics, DType.F32, Statistics, rows) ? "statistics must be f32 [8, R]" :
            !(temperature > 0) ? "the temperature must be positive" :
            !Checks.IsBytes(scratch, loss.ScratchBytes(rows, head.RowLength, head.D0, head.DType)) ? "scratch is too small" : null;
        if (problem is null) return;
        throw Checks.Failure(operation, $"{problem}; temperature {temperature}", ("statistics", statistics), ("hidden", hidden),
            ("head", head), ("targets", targets), ("scratch", scratch));
    }

    public static void Tokens(string operation, in Tensor dHidden, in Tensor dHead, in Tensor hidden, in Tensor head, in PolicyTokens tokens,
        in PolicyLossOptions options)
    {
        long rows = tokens.Targets.Length;
        string? problem =
            !Checks.IsMatrix(dHidden, hidden.DType, rows, hidden.RowLength) ? "dHidden must have the shape and dtype of hidden" :
            dHead.Exists && !Checks.IsMatrix(dHead, DType.F32, head.D0, head.RowLength) ? "dHead must be f32 [V, H]" :
            !Checks.IsVector(tokens.Advantages, DType.F32, rows) ? "advantages must be f32 [R]" :
            !Checks.IsVector(tokens.OldLogProbs, DType.F32, rows) ? "old log-probs must be f32 [R]" :
            !Checks.IsVector(tokens.OffPolicy, DType.I32, rows) ? "offPolicy must be i32 [R]" :
            !Checks.IsVector(tokens.Weights, DType.F32, rows) ? "weights must be f32 [R]" :
            !IsOptional(tokens.BehaviorLogProbs, rows) ? "behavior log-probs must be f32 [R]" :
            !IsOptional(tokens.ReferenceLogProbs, rows) ? "reference log-probs must be f32 [R]" :
            options.KlCoefficient != 0 && !tokens.ReferenceLogProbs.Exists ? "a KL coefficient needs reference log-probs" :
            !Enum.IsDefined(options.OffPolicyShaping) || options.OffPolicyShaping == PolicyShaping.ClippedRatio ? "no such shaping of off-policy tokens" :
            !Enum.IsDefined(options.BehaviorShaping) || options.BehaviorShaping >= PolicyShaping.MultipleImportance ? "no such shaping of recorded tokens" :
            !Enum.IsDefined(options.OnPolicyShaping) || IsOffPolicyAlone(options.OnPolicyShaping) ? "no such shaping of on-policy tokens" :
            !Enum.IsDefined(options.KlEstimator) ? "unknown KL estimator" : null;
        if (problem is null) return;
        throw Checks.Failure(operation, problem, ("dHidden", dHidden), ("dHead", dHead), ("hidden", hidden), ("head", head),
            ("advantages", tokens.Advantages), ("oldLogProbs", tokens.OldLogProbs), ("offPolicy", tokens.OffPolicy),
            ("weights", tokens.Weights), ("behaviorLogProbs", tokens.BehaviorLogProbs), ("referenceLogProbs", tokens.ReferenceLogProbs));
    }

    private static bool IsOffPolicyAlone(PolicyShaping shaping) =>
        shaping is PolicyShaping.TrustRegion or PolicyShaping.ProbTimesComplement or PolicyShaping.MultipleImportance;

    private static bool IsOptional(in Tensor tensor, long rows) => !tensor.Exists || Checks.IsVector(tensor, DType.F32, rows);
}
