namespace Luffy.Kernels;

/// <summary>Argument checks of <see cref="IEmbedding"/> for the managed backends.</summary>
internal static class EmbeddingChecks
{
    public static void Forward(in Tensor y, in Tensor w, in Tensor ids)
    {
        long rows = ids.Exists ? ids.Length : 0;
        string? problem =
            !Checks.IsFloat(w) ? "weight must be f32 or bf16 [V, H]" :
            !Checks.IsVector(ids, DType.I32, rows) ? "ids must be i32 [T]" :
            !Checks.IsMatrix(y, w.DType, rows, w.RowLength) ? "y must be [T, H] of the weight's dtype" : null;
        if (problem is not null) throw Checks.Failure("Embedding.Forward", problem, ("y", y), ("weight", w), ("ids", ids));
    }

    public static void Backward(in Tensor dWeight, in Tensor dy, in Tensor ids)
    {
        long rows = ids.Exists ? ids.Length : 0;
        string? problem =
            !Checks.IsFloat(dy) ? "dy must be f32 or bf16 [T, H]" :
            !Checks.IsVector(ids, DType.I32, rows) ? "ids must be i32 [T]" :
            !Checks.IsFloat(dWeight) || (dWeight.DType != DType.F32 && dWeight.DType != dy.DType) ? "dWeight must be f32, or the dtype of dy" :
            !Checks.IsMatrix(dy, rows, dWeight.RowLength) ? "dy must be [T, H] where dWeight is [V, H]" : null;
        if (problem is not null) throw Checks.Failure("Embedding.Backward", problem, ("dWeight", dWeight), ("dy", dy), ("ids", ids));
    }
}
