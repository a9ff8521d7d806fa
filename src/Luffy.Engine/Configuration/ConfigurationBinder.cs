using System.Globalization;
using System.Reflection;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Luffy.Engine.Configuration;

/// <summary>Puts written values into typed properties, and says precisely what is wrong with those that do not fit.</summary>
internal static class ConfigurationBinder
{
    /// <summary>Sets the entries on the configuration, later ones over earlier ones.</summary>
    public static void Apply(object configuration, IEnumerable<ConfigurationEntry> entries)
    {
        Dictionary<string, ConfigurationKey> keys = ConfigurationKey.Of(configuration.GetType()).ToDictionary(k => k.Name);
        foreach (ConfigurationEntry entry in entries)
        {
            if (!keys.TryGetValue(entry.Key, out ConfigurationKey? key))
                throw UnknownKey(entry, keys.Keys, configuration);
            key.Write(configuration, Convert(entry, key));
        }
    }

    private static LuffyException UnknownKey(ConfigurationEntry entry, IReadOnlyCollection<string> known, object configuration)
    {
        string[] nested = [.. known.Where(k => k.StartsWith(entry.Key + '.', StringComparison.Ordinal))];
        if (nested.Length > 0)
            return LuffyException.Usage($"{entry.Where}: {entry.Key}: found {ConfigurationEntry.Describe(entry.Value)}, expected a map with {string.Join(", ", nested.Select(k => k[(entry.Key.Length + 1)..]))}.");
        string advice = NearestKey.Find(entry.Key, known) is { } near
            ? $"did you mean '{near}'?"
            : configuration switch
            {
                TrainingConfiguration => "the keys are listed by 'luffy train --dry-run'.",
                PretrainConfiguration => "the keys are listed by 'luffy pretrain --dry-run'.",
                _ => $"expected one of {string.Join(", ", known)}.",
            };
        return LuffyException.Usage($"{entry.Where}: unknown key '{entry.Key}'; {advice}");
    }

    private static object? Convert(ConfigurationEntry entry, ConfigurationKey key)
    {
        if (IsNull(entry.Value))
            return key.AllowsNull ? null : throw Mismatch(entry, key, "nothing", Expected(key.ValueType, key));
        if (ElementType(key.ValueType) is not { } element)
            return Scalar(entry, key, entry.Value, key.ValueType);
        // One value may stand for a list of one.
        YamlNode[] nodes = entry.Value is YamlSequenceNode list ? [.. list.Children] : [entry.Value];
        var values = Array.CreateInstance(element, nodes.Length);
        for (int i = 0; i < nodes.Length; i++)
            values.SetValue(Scalar(entry, key, nodes[i], element), i);
        return values;
    }

    private static object Scalar(ConfigurationEntry entry, ConfigurationKey key, YamlNode node, Type type)
    {
        string expected = Expected(type, key);
        if (IsRecord(type) && node is YamlMappingNode map)
        {
            object item = Activator.CreateInstance(type)!;
            Apply(item, entry.Within(map));
            return item;
        }
        if (node is not YamlScalarNode { Value: { } text })
            throw Mismatch(entry, key, ConfigurationEntry.Describe(node), expected);
        object? value = type switch
        {
            _ when type == typeof(string) => text,
            _ when type == typeof(bool) => text switch { "true" => true, "false" => false, _ => null },
            _ when type == typeof(int) => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int i) ? i : null,
            _ when type == typeof(long) => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long l) ? l : null,
            _ when IsRecord(type) => null,
            _ when type == typeof(double) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double d) && double.IsFinite(d) ? d : null,
            _ when type.IsEnum => Enum.GetValues(type).Cast<object>().FirstOrDefault(v => ConfigurationKey.SnakeCase(v.ToString()!) == text),
            _ => throw new InvalidOperationException($"Key {key.Name} has the type {type}, which no configuration can hold."),
        };
        if (value is null)
            throw Mismatch(entry, key, $"'{text}'", expected);
        if (key.Property.GetCustomAttribute<BoundsAttribute>() is { } bounds && !bounds.Allows(System.Convert.ToDouble(value, CultureInfo.InvariantCulture)))
            throw Mismatch(entry, key, text, expected);
        return value;
    }

    private static LuffyException Mismatch(ConfigurationEntry entry, ConfigurationKey key, string found, string expected) =>
        LuffyException.Usage($"{entry.Where}: {key.Name}: found {found}, expected {expected}.");

    private static string Expected(Type type, ConfigurationKey key)
    {
        string bounds = key.Property.GetCustomAttribute<BoundsAttribute>() is { } b ? $" with {b.Describe(key.Name)}" : "";
        string orNull = key.AllowsNull ? ", or null" : "";
        return type switch
        {
            _ when ElementType(type) is { } element => $"a list; each item {Expected(element, key)}",
            _ when type == typeof(string) => "text" + orNull,
            _ when type == typeof(bool) => "true or false" + orNull,
            _ when type == typeof(int) || type == typeof(long) => "a whole number" + bounds + orNull,
            _ when IsRecord(type) => "a map with " + string.Join(", ", ConfigurationKey.Of(type).Select(k => k.Name)),
            _ when type.IsEnum => "one of " + string.Join(", ", Enum.GetNames(type).Select(ConfigurationKey.SnakeCase)) + orNull,
            _ => "a number" + bounds + orNull,
        };
    }

    /// <summary>Whether values of the type are maps of keys themselves.</summary>
    internal static bool IsRecord(Type type) => type.IsClass && type != typeof(string) && !type.IsArray;

    private static Type? ElementType(Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>) ? type.GetGenericArguments()[0] : null;

    private static bool IsNull(YamlNode node) =>
        node is YamlScalarNode { Style: ScalarStyle.Plain or ScalarStyle.Any, Value: null or "" or "~" or "null" };
}
