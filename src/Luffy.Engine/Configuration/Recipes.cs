using System.Reflection;

namespace Luffy.Engine.Configuration;

/// <summary>The recipes that are part of the program, so that one file is enough to run them.</summary>
public static class Recipes
{
    private const string Prefix = "recipes/";

    /// <summary>What <c>luffy train</c> runs without a configuration.</summary>
    public const string Quickstart = "quickstart";

    /// <summary>The folder of the recipes that are one method each: their keys on top of another recipe.</summary>
    private const string MethodFolder = "methods/";

    /// <summary>The names of all built-in recipes.</summary>
    public static IReadOnlyList<string> Names => [.. Paths.Select(Path.GetFileName).Order(StringComparer.Ordinal)!];

    /// <summary>The names of those that are one method each.</summary>
    public static IReadOnlyList<string> Methods =>
        [.. Paths.Where(p => p.StartsWith(MethodFolder, StringComparison.Ordinal)).Select(p => p[MethodFolder.Length..]).Order(StringComparer.Ordinal)];

    /// <summary>The name as <see cref="Names"/> has it, with or without its folder; null where there is none.</summary>
    public static string? Find(string name) => Paths.FirstOrDefault(p => p == name || Path.GetFileName(p) == name) is { } path ? Path.GetFileName(path) : null;

    /// <summary>The YAML text of a built-in recipe.</summary>
    /// <exception cref="LuffyException">There is none of this name.</exception>
    public static string Read(string name)
    {
        string? path = Paths.FirstOrDefault(p => p == name || Path.GetFileName(p) == name);
        using Stream? stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"{Prefix}{path}.yaml");
        if (stream is null)
            throw LuffyException.Usage($"there is no built-in recipe '{name}'; there are {string.Join(", ", Names)}.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    // methods/luffy of the resource recipes/methods/luffy.yaml.
    private static IEnumerable<string> Paths => Assembly.GetExecutingAssembly().GetManifestResourceNames()
        .Where(n => n.StartsWith(Prefix, StringComparison.Ordinal)).Select(n => Path.ChangeExtension(n[Prefix.Length..], null)!);
}
