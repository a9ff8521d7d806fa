namespace Luffy.Kernels;

/// <summary>Whether a backend works on this machine.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Available">True where it can be created.</param>
/// <param name="Detail">Its description, or the reason why not.</param>
public readonly record struct BackendProbe(string Name, bool Available, string Detail);
