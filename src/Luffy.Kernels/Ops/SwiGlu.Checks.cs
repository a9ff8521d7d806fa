namespace Luffy.Kernels;

/// <summary>Argument checks of <see cref="ISwiGlu"/> for the managed backends.</summary>
internal static class SwiGluChecks
{
    public static void Forward(in Tensor y, in Tensor gateUp)
    {
        string? problem =
            !Checks.IsFloat(gateUp) || gateUp.RowLength % 2 != 0 ? "gateUp must be f32 or bf16 [T, 2·I]" :
            !Checks.IsMatrix(y, gateUp.DType, gateUp.D0, gateUp.RowLength / 2) ? "y must be [T, I] of the dtype of gateUp" : null;
        if (problem is not null) throw Checks.Failure("SwiGlu.Forward", problem, ("y", y), ("gateUp", gateUp));
    }

    public static void Backward(in Tensor dGateUp, in Tensor dy, in Tensor gateUp)
    {
        string? problem =
            !Checks.IsFloat(gateUp) || gateUp.RowLength % 2 != 0 ? "gateUp must be f32 or bf16 [T, 2·I]" :
            !Checks.IsMatrix(dGateUp, gateUp.DType, gateUp.D0, gateUp.RowLength) ? "dGateUp must have the shape and dtype of gateUp" :
            !Checks.IsMatrix(dy, gateUp.DType, gateUp.D0, gateUp.RowLength / 2) ? "dy must be [T, I] of the dtype of gateUp" : null;
        if (problem is not null) throw Checks.Failure("SwiGlu.Backward", problem, ("dGateUp", dGateUp), ("dy", dy), ("gateUp", gateUp));
    }
}
