namespace Luffy.Engine.Text.Jinja;

/// <summary>A node that has a value.</summary>
internal abstract record JinjaExpression
{
    public abstract object? Evaluate(JinjaScope scope);
}

internal sealed record Literal(object? Value) : JinjaExpression
{
    public override object? Evaluate(JinjaScope scope) => Value;
}

internal sealed record Name(string Text) : JinjaExpression
{
    public override object? Evaluate(JinjaScope scope) => scope.Get(Text);
}

internal sealed record ListLiteral(IReadOnlyList<JinjaExpression> Items) : JinjaExpression
{
    public override object? Evaluate(JinjaScope scope) => Items.Select(item => item.Evaluate(scope)).ToList();
}

internal sealed record TupleLiteral(IReadOnlyList<JinjaExpression> Items) : JinjaExpression
{
    public override object? Evaluate(JinjaScope scope) => new JinjaTuple(Items.Select(item => item.Evaluate(scope)));
}

internal sealed record MappingLiteral(IReadOnlyList<(JinjaExpression Key, JinjaExpression Value)> Pairs) : JinjaExpression
{
    public override object? Evaluate(JinjaScope scope)
    {
        var mapping = new JinjaDictionary();
        foreach (var (key, value) in Pairs)
            mapping[key.Evaluate(scope) ?? throw new JinjaError("none cannot be a key")] = value.Evaluate(scope);
        return mapping;
    }
}

internal sealed record Member(JinjaExpression Target, string Text) : JinjaExpression
{
    public override object? Evaluate(JinjaScope scope) => JinjaOperators.Member(Target.Evaluate(scope), Text);
}

internal sealed record Item(JinjaExpression Target, JinjaExpression Key) : JinjaExpression
{
    public override object? Evaluate(JinjaScope scope) => JinjaOperators.Item(Target.Evaluate(scope), Key.Evaluate(scope));
}

internal sealed record Slice(JinjaExpression Target, JinjaExpression? Start, JinjaExpression? Stop, JinjaExpression? Step) : JinjaExpression
{
    public override object? Evaluate(JinjaScope scope) =>
        JinjaOperators.Slice(Target.Evaluate(scope), Bound(Start, scope), Bound(Stop, scope), Bound(Step, scope));

    private static long? Bound(JinjaExpression? bound, JinjaScope scope) => bound?.Evaluate(scope) switch
    {
        null => null,
        long n => n,
        var other => throw new JinjaError($"a slice needs integers, found {JinjaValue.Kind(other)}"),
    };
}

internal sealed record ArgumentList(IReadOnlyList<JinjaExpression> Positional, IReadOnlyList<(string Name, JinjaExpression Value)> Named)
{
    public static readonly ArgumentList None = new([], []);

    public JinjaArguments Evaluate(string function, JinjaScope scope, params object?[] before) => new(
        function, [.. before, .. Positional.Select(p => p.Evaluate(scope))], Named.ToDictionary(p => p.Name, p => p.Value.Evaluate(scope)));
}

internal sealed record Call(JinjaExpression Target, ArgumentList Arguments) : JinjaExpression
{
    public override object? Evaluate(JinjaScope scope)
    {
        object? target = Target.Evaluate(scope);
        return target switch
        {
            JinjaFunction function => function.Call(Arguments.Evaluate(function.Name, scope)),
            JinjaMacro macro => macro.Call(Arguments.Evaluate(macro.Name, scope), scope),
            Undefined { What: "'strftime_now'" } => throw new JinjaError(
                "'strftime_now' is undefined, because ids must not depend on the day; give a date, or write one into the template"),
            Undefined missing => throw new JinjaError($"{missing.What} is undefined and cannot be called"),
            _ => throw new JinjaError($"{JinjaValue.Kind(target)} cannot be called"),
        };
    }
}

internal sealed record Filter(JinjaExpression Target, string Text, ArgumentList Arguments) : JinjaExpression
{
    public override object? Evaluate(JinjaScope scope) =>
        JinjaFilters.Apply(Text, Arguments.Evaluate($"the filter '{Text}'", scope, Target.Evaluate(scope)));
}

internal sealed record Test(JinjaExpression Target, string Text, ArgumentList Arguments) : JinjaExpression
{
    public override object? Evaluate(JinjaScope scope) =>
        JinjaTests.Apply(Text, Arguments.Evaluate($"the test '{Text}'", scope, Target.Evaluate(scope)));
}

internal sealed record Binary(string Symbol, JinjaExpression Left, JinjaExpression Right) : JinjaExpression
{
    public override object? Evaluate(JinjaScope scope)
    {
        object? left = Left.Evaluate(scope);
        return Symbol switch
        {
            "and" => JinjaValue.Truth(left) ? Right.Evaluate(scope) : left,
            "or" => JinjaValue.Truth(left) ? left : Right.Evaluate(scope),
            "~" => JinjaValue.Text(left) + JinjaValue.Text(Right.Evaluate(scope)),
            _ => JinjaOperators.Binary(Symbol, left, Right.Evaluate(scope)),
        };
    }
}

internal sealed record Unary(string Symbol, JinjaExpression Operand) : JinjaExpression
{
    public override object? Evaluate(JinjaScope scope)
    {
        object? value = Operand.Evaluate(scope);
        if (Symbol == "not") return !JinjaValue.Truth(value);
        return Symbol == "-" ? JinjaOperators.Negate(value) : JinjaOperators.Negate(JinjaOperators.Negate(value));
    }
}

/// <summary>A chain of comparisons: <c>a &lt; b &lt;= c</c> holds where each link does.</summary>
internal sealed record Comparison(JinjaExpression First, IReadOnlyList<(string Symbol, JinjaExpression Operand)> Links) : JinjaExpression
{
    public override object? Evaluate(JinjaScope scope)
    {
        object? left = First.Evaluate(scope);
        foreach (var (symbol, operand) in Links)
        {
            object? right = operand.Evaluate(scope);
            if (!Holds(symbol, left, right)) return false;
            left = right;
        }

        return true;
    }

    private static bool Holds(string symbol, object? left, object? right) => symbol switch
    {
        "==" => JinjaValue.Same(left, right),
        "!=" => !JinjaValue.Same(left, right),
        "in" => JinjaValue.Contains(right, left),
        "not in" => !JinjaValue.Contains(right, left),
        "<" => JinjaValue.Compare(left, right) < 0,
        "<=" => JinjaValue.Compare(left, right) <= 0,
        ">" => JinjaValue.Compare(left, right) > 0,
        _ => JinjaValue.Compare(left, right) >= 0,
    };
}

internal sealed record Conditional(JinjaExpression Condition, JinjaExpression Then, JinjaExpression? Else) : JinjaExpression
{
    public override object? Evaluate(JinjaScope scope) => JinjaValue.Truth(Condition.Evaluate(scope))
        ? Then.Evaluate(scope) : Else is null ? new Undefined("the inline if without else") : Else.Evaluate(scope);
}
