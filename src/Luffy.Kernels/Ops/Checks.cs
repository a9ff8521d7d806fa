using System.Text;

namespace Luffy.Kernels;

/// <summary>
/// Argument checks that managed backends share; the native libraries make the same ones behind the C header. A check is a condition
/// and a constant sentence, so that a call that passes allocates nothing; the message of one that fails shows every tensor.
/// </summary>
internal static class Checks
{
    /// <summary>The exception for a broken contract: the sentence, then every argument with its dtype and shape.</summary>
    public static LuffyKernelException Failure(string operation, string problem, params ReadOnlySpan<(string Name, Tensor Tensor)> tensors)
    {
        StringBuilder message = new(problem);
        string separator = " (got ";
        foreach ((string name, Tensor tensor) in tensors)
        {
            message.Append(separator).Append(name).Append(' ').Append(tensor.ToString());
            separator = ", ";
        }

        return new LuffyKernelException(operation, message.Append(')').ToString());
    }

    /// <summary>F32 or Bf16.</summary>
    public static bool IsFloat(in Tensor tensor) => tensor.Exists && tensor.DType is DType.F32 or DType.Bf16;

    /// <summary>
    /// Floating-point storage of <paramref name="rows"/> rows of <paramref name="rowLength"/> elements, however a row is factored.
    /// </summary>
    public static bool IsMatrix(in Tensor tensor, long rows, long rowLength) =>
        IsFloat(tensor) && tensor.D0 == rows && (tensor.RowLength == rowLength || tensor.Length == 0);

    /// <summary>The same, of one dtype.</summary>
    public static bool IsMatrix(in Tensor tensor, DType dtype, long rows, long rowLength) =>
        IsMatrix(tensor, rows, rowLength) && tensor.DType == dtype;

    /// <summary>A vector of <paramref name="length"/> elements of one dtype.</summary>
    public static bool IsVector(in Tensor tensor, DType dtype, long length) =>
        tensor.Exists && tensor.DType == dtype && tensor.D0 == length && tensor.Length == length;

    /// <summary>Bytes, at least so many; an absent tensor has none.</summary>
    public static bool IsBytes(in Tensor tensor, long bytes) =>
        bytes == 0 || (tensor.Exists && tensor.DType == DType.U8 && tensor.Bytes >= bytes);

    /// <summary>What <see cref="IBackend.Copy"/> takes.</summary>
    public static void Copy(in Tensor destination, in Tensor source)
    {
        bool convertible = IsFloat(destination) && IsFloat(source);
        bool same = destination.Exists && source.Exists && destination.DType == source.DType;
        if (destination.Length == source.Length && (convertible || same)) return;
        throw Failure("Copy", "destination and source must have the same length, and the same dtype or f32 and bf16",
            ("destination", destination), ("source", source));
    }

    /// <summary>Every value lies in 0 … <paramref name="limit"/> − 1; names the first that does not.</summary>
    public static void Range(string operation, string what, ReadOnlySpan<int> values, long limit)
    {
        for (int i = 0; i < values.Length; i++)
        {
            if ((uint)values[i] >= (ulong)limit)
                throw new LuffyKernelException(operation, $"{what}[{i}] is {values[i]}, not in 0..{limit - 1}");
        }
    }

    /// <summary>Offsets ascend from 0 to <paramref name="total"/>, as packed sequences need.</summary>
    public static void Starts(string operation, string what, ReadOnlySpan<int> starts, long total)
    {
        bool ok = starts.Length > 0 && starts[0] == 0 && starts[^1] == total;
        for (int i = 1; ok && i < starts.Length; i++) ok = starts[i] >= starts[i - 1];
        if (ok) return;
        string shown = string.Join(", ", starts[..Math.Min(starts.Length, 8)].ToArray()) + (starts.Length > 8 ? ", …" : "");
        throw new LuffyKernelException(operation, $"{what} must ascend from 0 to {total} but is [{shown}]");
    }
}
