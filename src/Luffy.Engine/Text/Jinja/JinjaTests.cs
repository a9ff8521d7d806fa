namespace Luffy.Engine.Text.Jinja;

/// <summary>The tests after <c>is</c>.</summary>
internal static class JinjaTests
{
    /// <summary>Whether a test of this name exists.</summary>
    public static bool Knows(string name) => All.ContainsKey(name);

    public static bool Apply(string name, JinjaArguments arguments)
    {
        var (takes, test) = All[name];
        if (arguments.Positional.Count != takes + 1 || arguments.Named.Count > 0)
            throw new JinjaError($"{arguments.Function} takes {takes} argument(s), found {arguments.Positional.Count - 1 + arguments.Named.Count}");
        return test(arguments.Positional[0], takes > 0 ? arguments.Positional[1] : null);
    }

    private static readonly Dictionary<string, (int Takes, Func<object?, object?, bool> Test)> All = new()
    {
        ["defined"] = (0, (x, _) => x is not Undefined),
        ["undefined"] = (0, (x, _) => x is Undefined),
        ["none"] = (0, (x, _) => x is null),
        ["boolean"] = (0, (x, _) => x is bool),
        ["true"] = (0, (x, _) => x is true),
        ["false"] = (0, (x, _) => x is false),
        ["integer"] = (0, (x, _) => x is long),
        ["float"] = (0, (x, _) => x is double),
        ["number"] = (0, (x, _) => x is long or double or bool),
        ["string"] = (0, (x, _) => x is string),
        ["mapping"] = (0, (x, _) => x is JinjaDictionary),
        ["iterable"] = (0, (x, _) => x is string or List<object?> or JinjaDictionary or Undefined),
        ["sequence"] = (0, (x, _) => x is string or List<object?> or JinjaDictionary or Undefined),
        ["callable"] = (0, (x, _) => x is JinjaFunction or JinjaMacro),
        ["lower"] = (0, (x, _) => JinjaMethods.IsLower(JinjaValue.Text(x))),
        ["upper"] = (0, (x, _) => JinjaMethods.IsUpper(JinjaValue.Text(x))),
        ["odd"] = (0, (x, _) => JinjaOperators.Binary("%", x, 2L) is 1L),
        ["even"] = (0, (x, _) => JinjaOperators.Binary("%", x, 2L) is 0L),
        ["divisibleby"] = (1, (x, y) => JinjaOperators.Binary("%", x, y) is 0L),
        ["in"] = (1, (x, y) => JinjaValue.Contains(y, x)),
        ["sameas"] = (1, (x, y) => ReferenceEquals(x, y) || (x is bool or long && Equals(x, y))),
        ["eq"] = (1, JinjaValue.Same),
        ["equalto"] = (1, JinjaValue.Same),
        ["=="] = (1, JinjaValue.Same),
        ["ne"] = (1, (x, y) => !JinjaValue.Same(x, y)),
        ["!="] = (1, (x, y) => !JinjaValue.Same(x, y)),
        ["lt"] = (1, (x, y) => JinjaValue.Compare(x, y) < 0),
        ["lessthan"] = (1, (x, y) => JinjaValue.Compare(x, y) < 0),
        ["<"] = (1, (x, y) => JinjaValue.Compare(x, y) < 0),
        ["le"] = (1, (x, y) => JinjaValue.Compare(x, y) <= 0),
        ["<="] = (1, (x, y) => JinjaValue.Compare(x, y) <= 0),
        ["gt"] = (1, (x, y) => JinjaValue.Compare(x, y) > 0),
        ["greaterthan"] = (1, (x, y) => JinjaValue.Compare(x, y) > 0),
        [">"] = (1, (x, y) => JinjaValue.Compare(x, y) > 0),
        ["ge"] = (1, (x, y) => JinjaValue.Compare(x, y) >= 0),
        [">="] = (1, (x, y) => JinjaValue.Compare(x, y) >= 0),
        ["filter"] = (0, (x, _) => x is string name && JinjaFilters.Knows(name)),
        ["test"] = (0, (x, _) => x is string name && Knows(name)),
    };
}
