using System.Diagnostics;
using System.Globalization;
using Luffy.Kernels;

namespace Luffy.Engine;

/// <summary>Memory of this process and of the machine.</summary>
public static class ProcessMemory
{
    /// <summary>
    /// What the runtime, its compiled code and the managed heap grow by while a run goes on, beyond what is resident at its start and beyond
    /// its tokenizer and data; measured over quickstart runs.
    /// </summary>
    public const long ManagedAllowance = 82L << 20;

    /// <summary>Resident bytes now.</summary>
    public static long ResidentBytes => Environment.WorkingSet;

    /// <summary>What is alive on the managed heap, or was when its garbage was last returned.</summary>
    public static long ManagedBytes => GC.GetTotalMemory(forceFullCollection: false);

    /// <summary>Largest resident set so far.</summary>
    public static long PeakBytes
    {
        get
        {
            using var process = Process.GetCurrentProcess();
            return process.PeakWorkingSet64;
        }
    }

    /// <summary>Gives what loading left behind back to the system, so that the peak is that of the work and not of its preparation.</summary>
    public static void ReturnGarbage() => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);

    /// <summary>Refuses a plan that the machine has no memory for, before anything is allocated.</summary>
    /// <param name="backend">Tells whether its device has memory of its own.</param>
    /// <param name="bytes">All that is needed.</param>
    /// <param name="offloadedBytes">What of it lies on the host all the same.</param>
    /// <exception cref="LuffyException">There is not that much, or nothing can be moved to the host.</exception>
    public static void RequireAvailable(IBackend backend, long bytes, long offloadedBytes = 0)
    {
        if (backend.FreeDeviceBytes is { } free)
        {
            RequireOnHost(offloadedBytes);
            if (bytes - offloadedBytes <= free) return;
            throw new LuffyException(string.Create(CultureInfo.InvariantCulture,
                $"the run needs {(bytes - offloadedBytes) / 1e9:0.0} GB of the GPU's memory and only {free / 1e9:0.0} GB are free; lower tokens_per_micro_batch, rollout_batch_size or max_completion_length, or set a smaller kv_cache_tokens, gradient_checkpointing: true or offload_optimizer: true"));
        }

        if (offloadedBytes > 0)
            throw LuffyException.Usage($"offload_optimizer is for a GPU with memory of its own that reaches the host's, which backend {backend.Name} is not; set offload_optimizer: false, or backend: cuda");
        RequireOnHost(bytes);
    }

    private static void RequireOnHost(long bytes)
    {
        if (AvailableBytes() is { } available && bytes > available)
        {
            throw new LuffyException(string.Create(CultureInfo.InvariantCulture,
                $"the run needs {bytes / 1e9:0.0} GB and only {available / 1e9:0.0} GB are free; lower tokens_per_micro_batch, rollout_batch_size or max_completion_length, or set a smaller kv_cache_tokens or gradient_checkpointing: true"));
        }
    }

    /// <summary>Bytes that processes can still have; null where the system does not tell (not Linux): the allocation itself will.</summary>
    internal static long? AvailableBytes()
    {
        const string file = "/proc/meminfo";
        if (!File.Exists(file)) return null;
        string? line = File.ReadLines(file).FirstOrDefault(l => l.StartsWith("MemAvailable:", StringComparison.Ordinal));
        return line is null ? null : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }
}
