namespace Luffy.Kernels;

/// <summary>Argument checks of <see cref="IRmsNorm"/> for the managed backends.</summary>
internal static class RmsNormChecks
{
    public static void Forward(string operation, in Tensor y, in Tensor rstd, in Tensor x, in Tensor weight, in Tensor sum,
        in Tensor delta)
    {
        string? problem =
            !Checks.IsFloat(x) ? "x must be f32 or bf16 [T, H]" :
            !Checks.IsMatrix(y, x.DType, x.D0, x.RowLength) ? "y must have the shape and dtype of x" :
            !Checks.IsMatrix(sum, x.DType, x.D0, x.RowLength) ? "sum must have the shape and dtype of x" :
            !Checks.IsMatrix(delta, x.DType, x.D0, x.RowLength) ? "delta must have the shape and dtype of x" :
            !Checks.IsVector(rstd, DType.F32, x.D0) ? "rstd must be f32 [T]" :
            !Checks.IsVector(weight, x.DType, x.RowLength) ? "weight must be [H] of the dtype of x" : null;
        if (problem is null) return;
        throw Checks.Failure(operation, problem, ("y", y), ("rstd", rstd), ("x", x), ("weight", weight), ("sum", sum), ("delta", delta));
    }

    public static void Backward(string operation, in Tensor dx, in Tensor dWeight, in Tensor dy, in Tensor dResidual, in Tensor x,
        in Tensor rstd, in Tensor weight)
    {
        string? problem =
            !Checks.IsFloat(x) ? "x must be f32 or bf16 [T, H]" :
            !Checks.IsMatrix(dx, x.DType, x.D0, x.RowLength) ? "dx must have the shape and dtype of x" :
            !Checks.IsMatrix(dy, x.DType, x.D0, x.RowLength) ? "dy must have the shape and dtype of x" :
            !Checks.IsMatrix(dResidual, x.DType, x.D0, x.RowLength) ? "dResidual must have the shape and dtype of x" :
            !Checks.IsVector(dWeight, DType.F32, x.RowLength) ? "dWeight must be f32 [H]" :
            !Checks.IsVector(rstd, DType.F32, x.D0) ? "rstd must be f32 [T]" :
            !Checks.IsVector(weight, x.DType, x.RowLength) ? "weight must be [H] of the dtype of x" : null;
        if (problem is null) return;
        throw Checks.Failure(operation, problem, ("dx", dx), ("dWeight", dWeight), ("dy", dy), ("dResidual", dResidual), ("x", x),
            ("rstd", rstd), ("weight", weight));
    }
}
