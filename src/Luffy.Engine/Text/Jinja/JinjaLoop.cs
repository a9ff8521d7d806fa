namespace Luffy.Engine.Text.Jinja;

/// <summary>The variable <c>loop</c> inside a for.</summary>
internal sealed class JinjaLoop(List<object?> items)
{
    private object? lastChanged;
    private bool hasChanged;

    public int Index { get; set; }

    public object? Member(string name) => name switch
    {
        "index" => Index + 1L,
        "index0" => (long)Index,
        "revindex" => (long)items.Count - Index,
        "revindex0" => items.Count - 1L - Index,
        "first" => Index == 0,
        "last" => Index == items.Count - 1,
        "length" => (long)items.Count,
        // Jinja counts recursion here, not nesting, and a recursive for is refused.
        "depth" => 1L,
        "depth0" => 0L,
        "previtem" => Index > 0 ? items[Index - 1] : new Undefined("'previtem' in the first turn"),
        "nextitem" => Index + 1 < items.Count ? items[Index + 1] : new Undefined("'nextitem' in the last turn"),
        "cycle" => new JinjaFunction("loop.cycle", a => a.Positional.Count > 0
            ? a.Positional[Index % a.Positional.Count] : throw new JinjaError("loop.cycle needs something to cycle through")),
        "changed" => new JinjaFunction("loop.changed", Changed),
        _ => new Undefined($"'{name}' of the loop"),
    };

    private object? Changed(JinjaArguments arguments)
    {
        object? value = arguments.Positional.ToList();
        if (hasChanged && JinjaValue.Same(value, lastChanged)) return false;
        (hasChanged, lastChanged) = (true, value);
        return true;
    }
}
