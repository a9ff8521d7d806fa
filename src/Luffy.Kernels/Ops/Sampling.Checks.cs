namespace Luffy.Kernels;

/// <summary>Argument checks of <see cref="ISampling"/> for the managed backends.</summary>
internal static class SamplingChecks
{
    public static void Sample(in Tensor ids, in Tensor logProbs, in Tensor sampledLogProbs, in Tensor logits, in Tensor keys,
        in SamplingOptions options, in Tensor scratch, ISampling sampling)
    {
        long rows = logits.Exists ? logits.D0 : 0;
        string? problem =
            !logits.Exists || logits.DType != DType.F32 || logits.RowLength == 0 ? "logits must be f32 [S, V]" :
            !Checks.IsVector(ids, DType.I32, rows) ? "ids must be i32 [S]" :
            !Checks.IsVector(logProbs, DType.F32, rows) ? "logProbs must be f32 [S]" :
            !Checks.IsVector(sampledLogProbs, DType.F32, rows) ? "sampledLogProbs must be f32 [S]" :
            !keys.Exists || keys.DType != DType.I32 || keys.D0 != rows || keys.RowLength != 3 ? "keys must be i32 [S, 3]" :
            !(options.Temperature >= 0) || float.IsInfinity(options.Temperature) ? "the temperature must be 0 or more" :
            options.TopK < 0 ? "top-k must be 0 or more" :
            !(options.TopP > 0 && options.TopP <= 1) ? "top-p must be in (0, 1]" :
            !(options.MinP >= 0 && options.MinP <= 1) ? "min-p must be in [0, 1]" :
            !Checks.IsBytes(scratch, sampling.ScratchBytes(rows, logits.RowLength)) ? "scratch is too small" : null;
        if (problem is null) return;
        throw Checks.Failure("Sampling.Sample", $"{problem}; {options}", ("ids", ids), ("logProbs", logProbs),
            ("sampledLogProbs", sampledLogProbs), ("logits", logits), ("keys", keys), ("scratch", scratch));
    }
}
