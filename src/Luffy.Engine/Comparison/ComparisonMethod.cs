using Luffy.Engine.Configuration;

namespace Luffy.Engine.Comparison;

/// <summary>A method of a comparison.</summary>
/// <param name="Name">What tables and folders call it.</param>
/// <param name="Own">Its own keys: those of its recipe and of all that the recipe extends, but for the last of them, which <c>train</c> stands for.</param>
internal sealed record ComparisonMethod(string Name, IReadOnlyList<ConfigurationEntry> Own)
{
    /// <summary>What the model is before it is trained; measured once, and no method.</summary>
    public const string Base = "base";

    /// <summary>Finds a method.</summary>
    /// <param name="nameOrPath">A recipe of recipes/methods, or a YAML file.</param>
    /// <param name="folder">Where a relative path begins.</param>
    /// <param name="where">Who named it, for messages.</param>
    /// <exception cref="LuffyException">There is none.</exception>
    public static ComparisonMethod Find(string nameOrPath, string folder, string where)
    {
        string name = Path.GetFileNameWithoutExtension(nameOrPath);
        if (name == Base)
            throw LuffyException.Usage($"{where}: a method cannot be called '{Base}', which stands for the model before training; rename {nameOrPath}.");
        if (Path.GetExtension(nameOrPath) is ".yaml" or ".yml")
            return new ComparisonMethod(name, OwnOf(ConfigurationText.Open(Path.Combine(folder, nameOrPath))));
        if (Recipes.Methods.Contains(nameOrPath))
            return new ComparisonMethod(name, OwnOf(ConfigurationText.BuiltIn(nameOrPath)));
        string advice = NearestKey.Find(nameOrPath, Recipes.Methods) is { } near ? $"did you mean '{near}'?" : $"there are {string.Join(", ", Recipes.Methods)}.";
        throw LuffyException.Usage($"{where}: there is no method '{nameOrPath}' (and a file's name ends in .yaml); {advice}");
    }

    private static List<ConfigurationEntry> OwnOf(ConfigurationText text)
    {
        List<List<ConfigurationEntry>> layers = ConfigurationLayers.Of(text);
        return ConfigurationLayers.Merge(layers.Count == 1 ? layers : layers.Skip(1));
    }
}
