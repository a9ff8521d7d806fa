namespace Luffy.Kernels;

/// <summary>Which managed type stands for which dtype when elements cross between host and device.</summary>
internal static class HostTypes
{
    /// <summary>Refuses a transfer whose element type or length is not the tensor's.</summary>
    /// <exception cref="LuffyKernelException">It is not.</exception>
    public static void Check<T>(string operation, in Tensor tensor, int length) where T : unmanaged
    {
        bool fits = tensor.Exists && tensor.DType switch
        {
            DType.F32 => typeof(T) == typeof(float),
            DType.Bf16 => typeof(T) == typeof(ushort),
            DType.I32 => typeof(T) == typeof(int),
            _ => typeof(T) == typeof(byte),
        };
        if (!fits || tensor.Length != length)
            throw new LuffyKernelException(operation, $"{length} host elements of {typeof(T).Name} do not match {tensor}");
    }
}
