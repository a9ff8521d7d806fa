using Luffy.Engine.Configuration;
using Luffy.Kernels;

namespace Luffy.Engine;

/// <summary>The sizes that a backend has for a plan, whether it works here or not, and how much memory there is for it.</summary>
public sealed class BackendMemory : IDisposable
{
    private readonly IBackend? _opened;

    private BackendMemory(IBackendSizes sizes, string description, long? freeBytes, IBackend? opened) =>
        (Sizes, Description, FreeBytes, _opened) = (sizes, description, freeBytes, opened);

    /// <summary>Tells the sizes.</summary>
    public IBackendSizes Sizes { get; }

    /// <summary>One line for people.</summary>
    public string Description { get; }

    /// <summary>Bytes that are free now where it would compute; null where nobody tells.</summary>
    public long? FreeBytes { get; }

    /// <summary>The backend that the options ask for. Of cuda, the sizes are known where it does not work too.</summary>
    /// <exception cref="LuffyException">It is unknown, or works nowhere near and its sizes are not known.</exception>
    public static BackendMemory Of(ModelOptions options)
    {
        try
        {
            IBackend backend = EngineBackend.Open(options.Backend, options.Threads, options.AllowEmulator, options.Fast);
            return new BackendMemory(backend, backend.Description, backend.FreeDeviceBytes ?? ProcessMemory.AvailableBytes(), backend);
        }
        catch (LuffyException) when (options.Backend == "cuda")
        {
            return new BackendMemory(new CudaSizes(), "cuda, which does not work here: its sizes by their formulas", null, null);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _opened?.Dispose();
}
