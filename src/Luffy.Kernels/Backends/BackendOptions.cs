namespace Luffy.Kernels;

/// <summary>What a caller wants of a backend. Anything left out comes from the environment, then from the machine.</summary>
public sealed record BackendOptions
{
    /// <summary>
    /// A backend's name, or null or <c>auto</c>: then LUFFY_BACKEND, else the first of <see cref="Backends.Names"/> that works.
    /// </summary>
    public string? Name { get; init; }

    /// <summary>
    /// Instructions of the cpu backend (avx2, avx512, avx512bf16), or null: then LUFFY_CPU_ISA, else the best that the machine has.
    /// </summary>
    public string? Isa { get; init; }

    /// <summary>Worker threads; 0 for one for each available core.</summary>
    public int Threads { get; init; }

    /// <summary>Whether <c>ilgpu</c>, asked for by name, may be an emulator of a GPU on the CPU where there is no GPU.</summary>
    public bool AllowEmulator { get; init; }

    /// <summary>Whether <c>cuda</c>, asked for by name, may multiply by NVIDIA's library, which is faster but not batch-invariant.</summary>
    public bool Fast { get; init; }
}
