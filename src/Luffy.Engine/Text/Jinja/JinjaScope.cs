using System.Text;

namespace Luffy.Engine.Text.Jinja;

/// <summary>The variables that a node can see, and the output it writes to. Setting a name sets it in the innermost scope.</summary>
internal sealed class JinjaScope
{
    // Templates come with models: one that writes without end or calls itself must not take the process down.
    private const int LongestOutput = 1 << 24, DeepestCalls = 100;

    private readonly JinjaScope? parent;
    private readonly Dictionary<string, object?> variables = [];

    private JinjaScope(JinjaScope? parent, StringBuilder output, int depth) => (this.parent, Output, Depth) = (parent, output, depth);

    public StringBuilder Output { get; }

    private int Depth { get; }

    public static JinjaScope NewRoot() => new(null, new StringBuilder(), 0);

    /// <summary>A scope inside this one that writes to the same output.</summary>
    public JinjaScope Inner() => new(this, Output, Depth);

    /// <summary>A scope inside this one with an output of its own (macros, captured blocks).</summary>
    public JinjaScope Captured()
    {
        if (Depth >= DeepestCalls) throw new JinjaError($"macros call each other more than {DeepestCalls} deep");
        return new JinjaScope(this, new StringBuilder(), Depth + 1);
    }

    /// <summary>This scope as a macro called at another depth sees it.</summary>
    public JinjaScope Called(JinjaScope caller)
    {
        if (caller.Depth >= DeepestCalls) throw new JinjaError($"macros call each other more than {DeepestCalls} deep");
        return new JinjaScope(this, new StringBuilder(), caller.Depth + 1);
    }

    public object? Get(string name)
    {
        for (var scope = this; scope is not null; scope = scope.parent)
            if (scope.variables.TryGetValue(name, out object? value)) return value;
        return new Undefined($"'{name}'");
    }

    public void Set(string name, object? value) => variables[name] = value;

    public void Write(string text)
    {
        if (Output.Length + text.Length > LongestOutput) throw new JinjaError($"the output grows beyond {LongestOutput} characters");
        Output.Append(text);
    }
}
