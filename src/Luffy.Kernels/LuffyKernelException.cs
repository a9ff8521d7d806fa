namespace Luffy.Kernels;

/// <summary>A kernel refused its arguments or failed. The message names the operation and shows every shape and dtype.</summary>
public sealed class LuffyKernelException(string operation, string message, Exception? innerException = null)
    : Exception($"{operation}: {message}", innerException)
{
    /// <summary>The operation, as <c>Attention.Backward</c>.</summary>
    public string Operation { get; } = operation;
}
