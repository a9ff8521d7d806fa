namespace Luffy.Kernels;

/// <summary>Element type of a tensor's storage. Arithmetic on <see cref="Bf16"/> storage accumulates in f32. Values match <c>lf_dtype</c>.</summary>
public enum DType
{
    /// <summary>IEEE 754 binary32.</summary>
    F32 = 0,

    /// <summary>bfloat16: the upper half of a binary32, rounded to nearest even.</summary>
    Bf16 = 1,

    /// <summary>32-bit signed integers: ids, offsets, positions.</summary>
    I32 = 2,

    /// <summary>Bytes: scratch memory and packed weights, whose layout belongs to the backend.</summary>
    U8 = 3,
}

/// <summary>Sizes and names of <see cref="DType"/>.</summary>
public static class DTypes
{
    /// <summary>Bytes of one element.</summary>
    public static int Size(this DType dtype) => dtype switch
    {
        DType.F32 or DType.I32 => 4,
        DType.Bf16 => 2,
        DType.U8 => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "unknown dtype"),
    };

    /// <summary>The short name that messages and the command line use.</summary>
    public static string Name(this DType dtype) => dtype switch
    {
        DType.F32 => "f32",
        DType.Bf16 => "bf16",
        DType.I32 => "i32",
        DType.U8 => "u8",
        _ => dtype.ToString(),
    };
}
