namespace Luffy.Engine.Configuration;

/// <summary>The YAML text of a configuration and where it comes from: a file, or a recipe that is part of the program.</summary>
/// <param name="Yaml">The text.</param>
/// <param name="Name">What messages call it.</param>
/// <param name="Folder">Where the files lie that it names; null within the program.</param>
internal sealed record ConfigurationText(string Yaml, string Name, string? Folder)
{
    /// <summary>The built-in recipe of this name (a file called the same is named with its folder: <c>./luffy</c>), else the file.</summary>
    /// <exception cref="LuffyException">There is neither, or the file cannot be read.</exception>
    public static ConfigurationText Open(string nameOrPath) => Recipes.Find(nameOrPath) is { } recipe
        ? BuiltIn(recipe)
        : new ConfigurationText(ReadFile(nameOrPath), nameOrPath, Path.GetDirectoryName(Path.GetFullPath(nameOrPath)));

    /// <summary>A recipe that is part of the program.</summary>
    public static ConfigurationText BuiltIn(string name) => new(Recipes.Read(name), $"{name}.yaml (built in)", null);

    /// <summary>What an <c>extends</c> of this text names.</summary>
    /// <exception cref="LuffyException">It names nothing that is there.</exception>
    public ConfigurationText Extended(ConfigurationEntry extends)
    {
        string name = extends.Value is YamlDotNet.RepresentationModel.YamlScalarNode { Value: { Length: > 0 } text }
            ? text
            : throw LuffyException.Usage($"{extends.Where}: extends: found {ConfigurationEntry.Describe(extends.Value)}, expected the name of a recipe or a YAML file.");
        if (Recipes.Find(name) is { } recipe)
            return BuiltIn(recipe);
        if (!IsFileName(name))
        {
            string advice = NearestKey.Find(name, Recipes.Names) is { } near ? $"did you mean '{near}'?" : $"there are {string.Join(", ", Recipes.Names)}.";
            throw LuffyException.Usage($"{extends.Where}: extends: there is no built-in recipe '{name}' (and a file's name ends in .yaml); {advice}");
        }
        if (Folder is null)
            throw LuffyException.Usage($"{extends.Where}: extends: '{name}' is a file, but this text lies in no folder; name a built-in recipe.");
        string path = Path.Combine(Folder, name);
        if (!File.Exists(path))
            throw LuffyException.Usage($"{extends.Where}: extends: the file {path} does not exist.");
        return new ConfigurationText(ReadFile(path), path, Path.GetDirectoryName(Path.GetFullPath(path)));
    }

    /// <summary>Whether two texts are the same file or recipe.</summary>
    public bool IsSameAs(ConfigurationText other) =>
        Folder == other.Folder && (Folder is null ? Name == other.Name : Path.GetFullPath(Name) == Path.GetFullPath(other.Name));

    private static bool IsFileName(string name) => Path.GetExtension(name) is ".yaml" or ".yml";

    private static string ReadFile(string path)
    {
        if (Directory.Exists(path))
            throw LuffyException.Usage($"{path} is a folder, expected a YAML file.");
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new LuffyException($"the configuration {path} does not exist.", 2, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LuffyException($"the configuration {path} cannot be read: {e.Message}", 1, e);
        }
    }
}
