namespace Luffy.Engine.Text.Jinja;

/// <summary>
/// A parsed Jinja template, of the part of the language that chat templates use, with the settings of Hugging Face (trim_blocks,
/// lstrip_blocks, loop controls, <c>raise_exception</c>). Immutable: many threads may render one.
/// </summary>
internal sealed class JinjaTemplate
{
    private const long LongestRange = 100_000;

    private readonly string name;
    private readonly Body body;

    private JinjaTemplate(string name, Body body) => (this.name, this.body) = (name, body);

    /// <param name="name">What messages call the template: a file, usually.</param>
    /// <param name="source">The template.</param>
    /// <exception cref="LuffyException">The template cannot be parsed, or uses something that is not supported; the message names it and the line.</exception>
    public static JinjaTemplate Parse(string name, string source) => new(name, JinjaParser.Parse(name, source));

    /// <summary>The text for these variables.</summary>
    /// <exception cref="LuffyException">The template raised an exception of its own, or did what its values do not allow.</exception>
    public string Render(IEnumerable<KeyValuePair<string, object?>> variables)
    {
        var globals = JinjaScope.NewRoot();
        globals.Set("range", new JinjaFunction("range", Range));
        globals.Set("namespace", new JinjaFunction("namespace", Namespace));
        globals.Set("dict", new JinjaFunction("dict", arguments =>
        {
            var mapping = new JinjaDictionary();
            foreach (var (key, value) in arguments.Named) mapping[key] = value;
            return mapping;
        }));
        globals.Set("raise_exception", new JinjaFunction("raise_exception", arguments =>
            throw new JinjaError($"the template says: {JinjaValue.Text(arguments.Expect("message").Value(0, "message", "no message"))}")));
        foreach (var (key, value) in variables) globals.Set(key, JinjaValue.From(value));

        try
        {
            body.Execute(globals.Inner());
        }
        catch (LocatedJinjaError error)
        {
            throw new LuffyException($"{name}, line {error.Line}: {error.Message}.", 1, error);
        }

        return globals.Output.ToString();
    }

    private static object Range(JinjaArguments arguments)
    {
        arguments.Expect("start", "stop", "step");
        bool one = arguments.Positional.Count == 1;
        long start = one ? 0 : arguments.Integer(0, "start"), stop = arguments.Integer(one ? 0 : 1, "stop"), step = arguments.Integer(2, "step", 1);
        if (step == 0) throw new JinjaError("the step of range is zero");
        var values = new List<object?>();
        for (long i = start; step > 0 ? i < stop : i > stop; i += step)
        {
            if (values.Count == LongestRange) throw new JinjaError($"range has more than {LongestRange} values");
            values.Add(i);
        }

        return values;
    }

    private static JinjaNamespace Namespace(JinjaArguments arguments)
    {
        var space = new JinjaNamespace();
        if (arguments.Positional.Count > 0 && arguments.Positional[0] is JinjaDictionary initial)
            foreach (var (key, value) in initial) space.Members[JinjaValue.Text(key)] = value;
        foreach (var (key, value) in arguments.Named) space.Members[key] = value;
        return space;
    }
}
