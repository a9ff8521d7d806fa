using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Luffy.Engine.Configuration;

/// <summary>A value that somebody wrote for a key, in a file or as <c>--set learning_rate=fast</c>.</summary>
/// <param name="Key">The key, dotted for a nested one.</param>
/// <param name="Value">The value.</param>
/// <param name="Source">The file's name, or what was typed.</param>
/// <param name="Line">The line in the file; null on the command line.</param>
internal sealed record ConfigurationEntry(string Key, YamlNode Value, string Source, long? Line)
{
    /// <summary>For messages: <c>run.yaml:12</c>, or what was typed.</summary>
    public string Where => Line is { } line ? $"{Source}:{line}" : Source;

    /// <summary>The entries of a map within a list.</summary>
    public List<ConfigurationEntry> Within(YamlMappingNode map)
    {
        var entries = new List<ConfigurationEntry>();
        Flatten(map, "", Source, Line != null, entries);
        return entries;
    }

    /// <summary>The entries of a YAML text in their order; nested maps become dotted keys.</summary>
    public static List<ConfigurationEntry> FromYaml(string yaml, string name)
    {
        var entries = new List<ConfigurationEntry>();
        switch (Parse(yaml, name))
        {
            case null:
                break;
            case YamlMappingNode map:
                Flatten(map, "", name, true, entries);
                break;
            case var other:
                throw LuffyException.Usage($"{name}:{other.Start.Line}: found {Describe(other)}, expected lines of 'key: value'.");
        }
        return entries;
    }

    /// <summary>The entry of one override; its value is YAML too, so that <c>reward_funcs=[math, format]</c> is a list.</summary>
    public static ConfigurationEntry FromOverride(ConfigurationOverride given)
    {
        YamlNode value = Parse(given.Value, given.Where) ?? new YamlScalarNode("") { Style = ScalarStyle.Plain };
        return new ConfigurationEntry(given.Key, value, given.Where, null);
    }

    public static string Describe(YamlNode node) => node switch
    {
        YamlScalarNode scalar => $"'{scalar.Value}'",
        YamlSequenceNode => "a list",
        YamlMappingNode => "a map",
        _ => "an alias",
    };

    private static void Flatten(YamlMappingNode map, string prefix, string source, bool isFile, List<ConfigurationEntry> entries)
    {
        foreach ((YamlNode key, YamlNode value) in map.Children)
        {
            long? line = isFile ? key.Start.Line : null;
            if (key is not YamlScalarNode { Value: { } text })
                throw LuffyException.Usage($"{source}:{key.Start.Line}: found {Describe(key)} as a key, expected a name.");
            if (value is YamlMappingNode nested)
                Flatten(nested, $"{prefix}{text}.", source, isFile, entries);
            else
                entries.Add(new ConfigurationEntry(prefix + text, value, source, line));
        }
    }

    private static YamlNode? Parse(string yaml, string name)
    {
        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(yaml));
            return stream.Documents.Count == 0 ? null : stream.Documents[0].RootNode;
        }
        catch (YamlException e)
        {
            string reason = e.InnerException?.Message ?? e.Message;
            throw new LuffyException($"{name}:{e.Start.Line}: this is not valid YAML: {reason.TrimEnd('.')}.", 2, e);
        }
    }
}
