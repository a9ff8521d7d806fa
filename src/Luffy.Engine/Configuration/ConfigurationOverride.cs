namespace Luffy.Engine.Configuration;

/// <summary>A value given on the command line, which wins over the file.</summary>
/// <param name="Key">The key, dotted for a nested one.</param>
/// <param name="Value">The value, as YAML.</param>
/// <param name="Where">What was typed, for messages.</param>
public sealed record ConfigurationOverride(string Key, string Value, string Where)
{
    /// <summary>Reads <c>key=value</c> as <c>--set</c> takes it.</summary>
    public static ConfigurationOverride Parse(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
            throw LuffyException.Usage($"--set {text}: expected key=value, such as --set learning_rate=1e-5.");
        return new ConfigurationOverride(text[..equals].Trim(), text[(equals + 1)..].Trim(), $"--set {text}");
    }

    /// <summary>A text that may hold any character, such as a path.</summary>
    public static ConfigurationOverride Text(string key, string text, string where) => new(key, ConfigurationWriter.Format(text), where);
}
