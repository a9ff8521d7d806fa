namespace Luffy.Kernels;

/// <summary>Argument checks of <see cref="ILinear"/> for the managed backends, whose packed form is the rows.</summary>
internal static class LinearChecks
{
    public static void Pack(in Tensor packed, in Tensor weight)
    {
        string? problem =
            !Checks.IsFloat(weight) ? "weight must be f32 or bf16 [N, K]" :
            !Checks.IsBytes(packed, weight.Bytes) ? "packed must be u8 of the packed bytes of [N, K]" : null;
        if (problem is not null) throw Checks.Failure("Linear.Pack", problem, ("packed", packed), ("weight", weight));
    }

    /// <summary>The rows of a packed weight that a call means, for backends whose packed form is the rows.</summary>
    public static Tensor PackedRange(string operation, in LinearWeight weight, in Tensor rows, long firstRow)
    {
        Tensor w = new LinearWeight(weight.Packed, weight.DType, weight.N, weight.K).Rows;
        string? problem =
            !Checks.IsFloat(w) ? "packed must be u8 of the packed bytes of [N, K]" :
            !Checks.IsFloat(rows) || !Checks.IsMatrix(rows, w.DType, rows.D0, w.RowLength) ? "rows must be [R, K] of the weight's dtype" :
            firstRow < 0 || firstRow + rows.D0 > w.D0 ? "the rows must lie within the weight" : null;
        return problem is null
            ? w.Rows(firstRow, rows.D0)
            : throw Checks.Failure(operation, $"{problem}; first row {firstRow}", ("rows", rows), ("weight", weight.Values), ("packed", weight.Packed));
    }

    public static void Forward(in Tensor y, in Tensor x, in Tensor w, in Tensor bias)
    {
        string? problem =
            !Checks.IsFloat(w) ? "weight must be f32 or bf16 [N, K]" :
            !Checks.IsFloat(x) || !Checks.IsMatrix(x, w.DType, x.D0, w.RowLength) ? "x must be [T, K] of the weight's dtype" :
            !Checks.IsMatrix(y, x.D0, w.D0) || (y.DType != x.DType && y.DType != DType.F32) ? "y must be [T, N], f32 or the dtype of x" :
            bias.Exists && !Checks.IsVector(bias, w.DType, w.D0) ? "bias must be [N] of the weight's dtype" : null;
        if (problem is not null) throw Checks.Failure("Linear.Forward", problem, ("y", y), ("x", x), ("weight", w), ("bias", bias));
    }

    public static void BackwardInput(in Tensor dx, in Tensor dy, in Tensor w)
    {
        string? problem =
            !Checks.IsFloat(w) ? "weight must be f32 or bf16 [N, K]" :
            !Checks.IsFloat(dy) || !Checks.IsMatrix(dy, w.DType, dy.D0, w.D0) ? "dy must be [T, N] of the weight's dtype" :
            !Checks.IsMatrix(dx, dy.DType, dy.D0, w.RowLength) ? "dx must be [T, K] of the dtype of dy" : null;
        if (problem is not null) throw Checks.Failure("Linear.BackwardInput", problem, ("dx", dx), ("dy", dy), ("weight", w));
    }

    public static void BackwardWeight(in Tensor dWeight, in Tensor dBias, in Tensor dy, in Tensor x)
    {
        string? problem =
            !Checks.IsFloat(x) ? "x must be f32 or bf16 [T, K]" :
            !Checks.IsFloat(dy) || !Checks.IsMatrix(dy, x.DType, x.D0, dy.RowLength) ? "dy must be [T, N] of the dtype of x" :
            !Checks.IsMatrix(dWeight, dy.RowLength, x.RowLength) || (dWeight.DType != DType.F32 && x.DType != DType.Bf16)
                ? "dWeight must be [N, K], f32 or, of bf16 activations, bf16" :
            dBias.Exists && !Checks.IsVector(dBias, DType.F32, dy.RowLength) ? "dBias must be f32 [N]" : null;
        if (problem is not null)
            throw Checks.Failure("Linear.BackwardWeight", problem, ("dWeight", dWeight), ("dBias", dBias), ("dy", dy), ("x", x));
    }
}
