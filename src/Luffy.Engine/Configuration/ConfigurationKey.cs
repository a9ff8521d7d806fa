using System.Reflection;
using System.Text;

namespace Luffy.Engine.Configuration;

/// <summary>One key of a configuration: its name in YAML and the property that it sets.</summary>
/// <param name="Name">As written in a file: <c>learning_rate</c>, or dotted for a nested one: <c>columns.prompt</c>.</param>
/// <param name="Group">The heading it is printed under.</param>
/// <param name="Path">The group properties from the configuration down to the object that holds the property.</param>
/// <param name="Property">The property itself.</param>
internal sealed record ConfigurationKey(string Name, string Group, IReadOnlyList<PropertyInfo> Path, PropertyInfo Property)
{
    /// <summary>The type of the value, without the question mark of a value that may be null.</summary>
    public Type ValueType => Nullable.GetUnderlyingType(Property.PropertyType) ?? Property.PropertyType;

    /// <summary>Whether <c>null</c> is a value of this key.</summary>
    public bool AllowsNull { get; } =
        new NullabilityInfoContext().Create(Property).WriteState == NullabilityState.Nullable;

    public object? Read(object configuration) => Property.GetValue(Holder(configuration));

    public void Write(object configuration, object? value) => Property.SetValue(Holder(configuration), value);

    /// <summary>All keys of a configuration class, in the order in which its properties are declared.</summary>
    public static IReadOnlyList<ConfigurationKey> Of(Type type)
    {
        var keys = new List<ConfigurationKey>();
        Collect(type, "General", "", [], keys);
        return keys;
    }

    /// <summary>A name as keys and values spell it: <c>AdamBeta1</c> is <c>adam_beta1</c>, <c>PDivPGamma</c> is <c>p_div_p_gamma</c>.</summary>
    public static string SnakeCase(string name)
    {
        var text = new StringBuilder(name.Length + 8);
        foreach (char c in name)
        {
            if (char.IsUpper(c) && text.Length > 0)
                text.Append('_');
            text.Append(char.ToLowerInvariant(c));
        }
        return text.ToString();
    }

    private object Holder(object configuration)
    {
        foreach (PropertyInfo step in Path)
            configuration = step.GetValue(configuration)!;
        return configuration;
    }

    private static void Collect(Type type, string group, string prefix, IReadOnlyList<PropertyInfo> path, List<ConfigurationKey> keys)
    {
        // Metadata order is declaration order; derived values have no setter and are no keys.
        foreach (PropertyInfo property in type.GetProperties().Where(p => p.CanWrite).OrderBy(p => p.MetadataToken))
        {
            if (property.GetCustomAttribute<OptionGroupAttribute>() is { } nested)
                Collect(property.PropertyType, nested.Prefix.Length > 0 ? group : nested.Title, prefix + nested.Prefix, [.. path, property], keys);
            else
                keys.Add(new ConfigurationKey(prefix + SnakeCase(property.Name), group, path, property));
        }
    }
}
