namespace Luffy.Engine.Configuration;

/// <summary>The keys of a text and of all that it extends: a text's own keys lie on top of those that it extends.</summary>
internal static class ConfigurationLayers
{
    /// <summary>Names a recipe or file whose keys come first.</summary>
    public const string Extends = "extends";

    /// <summary>The keys of each text from the one that extends nothing up to the given one.</summary>
    /// <exception cref="LuffyException">A text is no YAML, extends what is not there, or in the end itself.</exception>
    public static List<List<ConfigurationEntry>> Of(ConfigurationText text)
    {
        var layers = new List<List<ConfigurationEntry>>();
        var seen = new List<ConfigurationText>();
        for (ConfigurationText? next = text; next is not null;)
        {
            seen.Add(next);
            List<ConfigurationEntry> entries = ConfigurationEntry.FromYaml(next.Yaml, next.Name);
            ConfigurationEntry? extends = entries.Find(e => e.Key == Extends);
            layers.Insert(0, [.. entries.Where(e => e.Key != Extends)]);
            next = extends is null ? null : next.Extended(extends);
            if (next is not null && seen.Exists(next.IsSameAs))
                throw LuffyException.Usage($"{extends!.Where}: extends: {string.Join(" extends ", seen.Append(next).Select(s => s.Name))}, which never ends; take one of them out.");
        }
        return layers;
    }

    /// <summary>All layers as one list, in which later entries win.</summary>
    public static List<ConfigurationEntry> Merge(IEnumerable<IReadOnlyList<ConfigurationEntry>> layers)
    {
        var merged = new List<ConfigurationEntry>();
        foreach (IReadOnlyList<ConfigurationEntry> layer in layers)
        {
            // Two names of one setting: whichever the upper layer gives replaces both.
            if (layer.Any(e => IsNormalizer(e.Key))) merged.RemoveAll(e => IsNormalizer(e.Key));
            merged.AddRange(layer);
        }
        return merged;
    }

    private static bool IsNormalizer(string key) => key is "loss_type" or "loss_normalizer";
}
