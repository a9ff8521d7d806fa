using Luffy.Kernels.Ilgpu;
using Luffy.Kernels.Native;

namespace Luffy.Kernels;

/// <summary>
/// Chooses a backend: an ordered list, the first that works wins, and one that is asked for by name works or is an error.
/// </summary>
public static class Backends
{
    /// <summary>Forces a backend, as <c>--backend</c> does.</summary>
    public const string BackendVariable = "LUFFY_BACKEND";

    /// <summary>Forces the instructions of the cpu backend.</summary>
    public const string IsaVariable = "LUFFY_CPU_ISA";

    private const string Operation = "backend";

    /// <summary>Every name that can be asked for, best first.</summary>
    public static IReadOnlyList<string> Names { get; } = ["cuda", "ilgpu", "cpu", "reference"];

    /// <summary>The ISA names of the cpu backend, best first.</summary>
    public static IReadOnlyList<string> CpuIsas { get; } = ["avx512bf16", "avx512", "avx2"];

    /// <summary>The backend that the options or the environment ask for, else the first that works here.</summary>
    /// <exception cref="LuffyKernelException">A name or ISA is unknown, or what was asked for does not work here; the message says why.</exception>
    public static IBackend Create(BackendOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        string? name = Chosen(options.Name, BackendVariable), isa = Chosen(options.Isa, IsaVariable);
        if (name is not null && !Names.Contains(name))
            throw new LuffyKernelException(Operation, $"'{name}' is not a backend; choose auto, {string.Join(", ", Names)}");
        if (isa is not null && !CpuIsas.Contains(isa))
        {
            throw new LuffyKernelException(Operation,
                $"'{isa}' is not an instruction set of the cpu backend; choose {string.Join(", ", CpuIsas)}");
        }

        if (name is not null and not "cpu" && options.Isa is not null)
            throw new LuffyKernelException(Operation, $"an instruction set ('{isa}') is for the cpu backend, not for '{name}'");

        if (options.AllowEmulator && name != "ilgpu")
            throw new LuffyKernelException(Operation, "--allow-emulator is for --backend ilgpu: no other backend has an emulator, and auto never chooses one");

        if (options.Fast && name != "cuda")
            throw new LuffyKernelException(Operation, "--fast is for --backend cuda: other backends have one mode, which is batch-invariant");

        // Instructions that were asked for exist in one backend only: to go on to another would be the silent fallback that nobody wants.
        name ??= isa is null ? null : "cpu";
        if (name is not null) return Open(name, isa, options.Threads, asked: true, options.AllowEmulator, options.Fast);
        List<string> reasons = [];
        foreach (string candidate in Names)
        {
            try
            {
                return Open(candidate, null, options.Threads, asked: false, allowEmulator: false);
            }
            catch (LuffyKernelException exception)
            {
                reasons.Add(exception.Message);
            }
        }

        throw new LuffyKernelException(Operation, string.Join("; ", reasons));
    }

    /// <summary>Tries every backend, best first. For people: the <c>devices</c> command.</summary>
    public static IReadOnlyList<BackendProbe> Probe() =>
        [.. Names.Select(name => name == "ilgpu" ? IlgpuBackend.Probe() : Probe(name))];

    private static BackendProbe Probe(string name)
    {
        try
        {
            using IBackend backend = Open(name, null, threads: 0, asked: true, allowEmulator: false);
            return new BackendProbe(name, true, backend.Description, []);
        }
        catch (LuffyKernelException exception)
        {
            return new BackendProbe(name, false, exception.Message, []);
        }
    }

    private static IBackend Open(string name, string? isa, int threads, bool asked, bool allowEmulator, bool fast = false) => name switch
    {
        "ilgpu" => new IlgpuBackend(asked, allowEmulator, threads),
        "cuda" => new NativeBackend("cuda", threads: threads, fast: fast),
        "cpu" => new NativeBackend("cpu", isa, threads),
        "reference" => new ReferenceBackend(),
        _ => throw new LuffyKernelException($"backend '{name}'", "not part of this build"),
    };

    private static string? Chosen(string? option, string variable)
    {
        string? value = string.IsNullOrEmpty(option) ? Environment.GetEnvironmentVariable(variable) : option;
        return string.IsNullOrEmpty(value) || value == "auto" ? null : value;
    }
}
