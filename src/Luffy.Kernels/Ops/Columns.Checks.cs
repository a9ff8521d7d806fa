namespace Luffy.Kernels;

/// <summary>Argument checks of <see cref="IColumns"/> for the managed backends.</summary>
internal static class ColumnsChecks
{
    public static void Range(string operation, in Tensor y, in Tensor z, long start)
    {
        string? problem =
            !Checks.IsFloat(y) ? "y must be f32 or bf16 [T, N]" :
            !Checks.IsMatrix(z, y.DType, y.D0, z.Exists ? z.RowLength : 0) ? "z must be [T, n] of the dtype of y" :
            start < 0 || start > y.RowLength - z.RowLength ? "the columns must lie within y" : null;
        if (problem is not null) throw Checks.Failure(operation, $"{problem}; start {start}", ("y", y), ("z", z));
    }
}
