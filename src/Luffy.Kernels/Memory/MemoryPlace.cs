namespace Luffy.Kernels;

/// <summary>Where memory lies that a backend computes in.</summary>
public enum MemoryPlace
{
    /// <summary>Where computing is fastest.</summary>
    Device,

    /// <summary>In the host's memory, pinned there, where a device with memory of its own reaches it across the bus.</summary>
    Host,
}
