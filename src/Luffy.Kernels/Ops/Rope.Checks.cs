namespace Luffy.Kernels;

/// <summary>Argument checks of <see cref="IRope"/> for the managed backends.</summary>
internal static class RopeChecks
{
    /// <summary>Returns D, the elements of a head.</summary>
    public static long Rotate(string operation, in Tensor qkv, in Tensor positions, in Tensor table, int rotatedHeads)
    {
        long dimension = table.Exists ? table.RowLength : 0;
        string? problem =
            !Checks.IsFloat(table) || table.DType != DType.F32 || dimension % 2 != 0 || dimension == 0 ? "table must be f32 [P, D] with even D" :
            !Checks.IsFloat(qkv) || qkv.RowLength % dimension != 0 ? "qkv must be f32 or bf16 [T, heads, D]" :
            !Checks.IsVector(positions, DType.I32, qkv.D0) ? "positions must be i32 [T]" :
            rotatedHeads < 0 || rotatedHeads * dimension > qkv.RowLength ? "rotatedHeads exceeds the heads of qkv" : null;
        if (problem is not null)
        {
            throw Checks.Failure(operation, $"{problem}; rotatedHeads {rotatedHeads}", ("qkv", qkv), ("positions", positions),
                ("table", table));
        }

        return dimension;
    }
}
