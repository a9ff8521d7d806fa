namespace Luffy.Engine.Text.Jinja;

/// <summary>The arguments of one call, and what a function asks of them.</summary>
internal sealed class JinjaArguments(string function, IReadOnlyList<object?> positional, IReadOnlyDictionary<string, object?> named)
{
    public string Function => function;

    public IReadOnlyList<object?> Positional => positional;

    public IReadOnlyDictionary<string, object?> Named => named;

    /// <summary>Complains where there are more arguments than the function takes, or named ones that it does not know.</summary>
    public JinjaArguments Expect(params string[] names)
    {
        if (positional.Count > names.Length)
            throw new JinjaError($"{function} takes at most {names.Length} argument(s), found {positional.Count}");
        foreach (string name in named.Keys)
            if (!names.Contains(name)) throw new JinjaError($"{function} has no argument '{name}'");
        return this;
    }

    public bool Has(int index, string name) => index < positional.Count || named.ContainsKey(name);

    public object? Value(int index, string name, object? absent = null) =>
        index < positional.Count ? positional[index] : named.GetValueOrDefault(name, absent);

    public object? Required(int index, string name) =>
        Has(index, name) ? Value(index, name) : throw new JinjaError($"{function} needs the argument '{name}'");

    public string Text(int index, string name, string? absent = null)
    {
        object? value = absent is null ? Required(index, name) : Value(index, name, absent);
        return value as string ?? throw new JinjaError($"{function} needs a string for '{name}', found {JinjaValue.Kind(value)}");
    }

    public string? TextOrNone(int index, string name) => Value(index, name) is null ? null : Text(index, name);

    public long Integer(int index, string name, long? absent = null)
    {
        object? value = absent is null ? Required(index, name) : Value(index, name, absent);
        return value switch
        {
            long n => n,
            bool b => b ? 1 : 0,
            _ => throw new JinjaError($"{function} needs an integer for '{name}', found {JinjaValue.Kind(value)}"),
        };
    }

    public bool Flag(int index, string name, bool absent) => JinjaValue.Truth(Value(index, name, absent));

    /// <summary>The same arguments without the first <paramref name="count"/> positional ones.</summary>
    public JinjaArguments Skip(int count, string function) => new(function, positional.Skip(count).ToList(), named);
}
