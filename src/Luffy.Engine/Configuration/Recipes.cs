using System.Reflection;

namespace Luffy.Engine.Configuration;

/// <summary>The recipes that are part of the program, so that one file is enough to run them.</summary>
public static class Recipes
{
    private const string Prefix = "recipes/";

    /// <summary>What <c>luffy train</c> runs without a configuration.</summary>
    public const string Quickstart = "quickstart";

    /// <summary>The names of all built-in recipes.</summary>
    public static IReadOnlyList<string> Names =>
        [.. Assembly.GetExecutingAssembly().GetManifestResourceNames()
            .Where(n => n.StartsWith(Prefix, StringComparison.Ordinal))
            .Select(n => Path.GetFileNameWithoutExtension(n))
            .Order(StringComparer.Ordinal)];

    /// <summary>The YAML text of a built-in recipe.</summary>
    /// <exception cref="LuffyException">There is none of this name.</exception>
    public static string Read(string name)
    {
        using Stream? stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"{Prefix}{name}.yaml");
        if (stream is null)
            throw LuffyException.Usage($"there is no built-in recipe '{name}'; there are {string.Join(", ", Names)}.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
