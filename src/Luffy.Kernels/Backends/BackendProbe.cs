namespace Luffy.Kernels;

/// <summary>Whether a backend works on this machine.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Available">True where it can be created.</param>
/// <param name="Detail">Its description, or the reason why not.</param>
/// <param name="Devices">Where it chooses among devices, all that it found, best first; empty for other backends.</param>
public readonly record struct BackendProbe(string Name, bool Available, string Detail, IReadOnlyList<DeviceProbe> Devices);

/// <summary>A device that a backend found.</summary>
/// <param name="Name">Its name and the interface through which it was found.</param>
/// <param name="Used">Whether the backend computes on it.</param>
/// <param name="Detail">The reason why, or why not.</param>
public readonly record struct DeviceProbe(string Name, bool Used, string Detail);
