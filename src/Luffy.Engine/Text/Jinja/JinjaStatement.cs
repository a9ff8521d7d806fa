namespace Luffy.Engine.Text.Jinja;

/// <summary>How a statement ended: normally, or by leaving or restarting the loop around it.</summary>
internal enum Flow
{
    Next,
    Break,
    Continue,
}

/// <summary>A node that writes or sets something. Its line goes into messages.</summary>
internal abstract record JinjaStatement(int Line)
{
    public abstract Flow Execute(JinjaScope scope);
}

/// <summary>Thrown once, at the innermost statement, so that the message can say where.</summary>
internal sealed class LocatedJinjaError(int line, string message, Exception inner) : Exception(message, inner)
{
    public int Line => line;
}

internal sealed record Body(IReadOnlyList<JinjaStatement> Statements)
{
    public Flow Execute(JinjaScope scope)
    {
        foreach (var statement in Statements)
        {
            Flow flow;
            try
            {
                flow = statement.Execute(scope);
            }
            catch (JinjaError error)
            {
                throw new LocatedJinjaError(statement.Line, error.Message, error);
            }

            if (flow != Flow.Next) return flow;
        }

        return Flow.Next;
    }

    public string Capture(JinjaScope scope)
    {
        var inner = scope.Captured();
        Execute(inner);
        return inner.Output.ToString();
    }
}

internal sealed record Text(int Line, string Value) : JinjaStatement(Line)
{
    public override Flow Execute(JinjaScope scope)
    {
        scope.Write(Value);
        return Flow.Next;
    }
}

internal sealed record Print(int Line, JinjaExpression Value) : JinjaStatement(Line)
{
    public override Flow Execute(JinjaScope scope)
    {
        scope.Write(JinjaValue.Text(Value.Evaluate(scope)));
        return Flow.Next;
    }
}

internal sealed record If(int Line, IReadOnlyList<(JinjaExpression Condition, Body Body)> Branches, Body? Else) : JinjaStatement(Line)
{
    public override Flow Execute(JinjaScope scope)
    {
        foreach (var (condition, body) in Branches)
            if (JinjaValue.Truth(condition.Evaluate(scope))) return body.Execute(scope);
        return Else?.Execute(scope) ?? Flow.Next;
    }
}

internal sealed record LeaveLoop(int Line, Flow How) : JinjaStatement(Line)
{
    public override Flow Execute(JinjaScope scope) => How;
}

internal sealed record Block(int Line, Body Body) : JinjaStatement(Line)
{
    public override Flow Execute(JinjaScope scope) => Body.Execute(scope);
}

/// <summary>What stands left of an equals sign: names, or one member of a namespace.</summary>
internal sealed record AssignmentTarget(IReadOnlyList<string> Names, string? MemberName, bool Unpacks)
{
    public void Assign(JinjaScope scope, object? value)
    {
        if (MemberName is not null)
        {
            if (scope.Get(Names[0]) is not JinjaNamespace space)
                throw new JinjaError($"'{Names[0]}.{MemberName}' cannot be set: only members of a namespace() can");
            space.Members[MemberName] = value;
        }
        else if (!Unpacks)
        {
            scope.Set(Names[0], value);
        }
        else
        {
            var items = JinjaValue.Items(value).ToList();
            if (items.Count != Names.Count) throw new JinjaError($"{items.Count} values cannot be unpacked into {Names.Count} names");
            for (int i = 0; i < items.Count; i++) scope.Set(Names[i], items[i]);
        }
    }
}

internal sealed record Set(int Line, AssignmentTarget Target, JinjaExpression Value) : JinjaStatement(Line)
{
    public override Flow Execute(JinjaScope scope)
    {
        Target.Assign(scope, Value.Evaluate(scope));
        return Flow.Next;
    }
}

internal sealed record SetBlock(int Line, AssignmentTarget Target, Body Body, IReadOnlyList<(string Name, ArgumentList Arguments)> Filters)
    : JinjaStatement(Line)
{
    public override Flow Execute(JinjaScope scope)
    {
        Target.Assign(scope, FilterBlock.Apply(Filters, Body.Capture(scope), scope));
        return Flow.Next;
    }
}

internal sealed record FilterBlock(int Line, Body Body, IReadOnlyList<(string Name, ArgumentList Arguments)> Filters) : JinjaStatement(Line)
{
    public override Flow Execute(JinjaScope scope)
    {
        scope.Write(JinjaValue.Text(Apply(Filters, Body.Capture(scope), scope)));
        return Flow.Next;
    }

    public static object? Apply(IReadOnlyList<(string Name, ArgumentList Arguments)> filters, object? value, JinjaScope scope)
    {
        foreach (var (name, arguments) in filters) value = JinjaFilters.Apply(name, arguments.Evaluate($"the filter '{name}'", scope, value));
        return value;
    }
}

internal sealed record For(int Line, AssignmentTarget Target, JinjaExpression Items, JinjaExpression? Condition, Body Body, Body? Else)
    : JinjaStatement(Line)
{
    public override Flow Execute(JinjaScope scope)
    {
        var items = JinjaValue.Items(Items.Evaluate(scope)).ToList();
        if (Condition is not null)
        {
            items.RemoveAll(item =>
            {
                var trial = scope.Inner();
                Target.Assign(trial, item);
                return !JinjaValue.Truth(Condition.Evaluate(trial));
            });
        }

        if (items.Count == 0) return Else?.Execute(scope) ?? Flow.Next;
        var loop = new JinjaLoop(items);
        for (; loop.Index < items.Count; loop.Index++)
        {
            // A fresh scope a turn: what one turn sets, the next does not see.
            var inner = scope.Inner();
            inner.Set("loop", loop);
            Target.Assign(inner, items[loop.Index]);
            if (Body.Execute(inner) == Flow.Break) break;
        }

        return Flow.Next;
    }
}

internal sealed record Macro(int Line, string Name, IReadOnlyList<(string Name, JinjaExpression? Default)> Parameters, Body Body) : JinjaStatement(Line)
{
    public override Flow Execute(JinjaScope scope)
    {
        scope.Set(Name, new JinjaMacro(this, scope));
        return Flow.Next;
    }
}

/// <summary>A macro together with the scope it was defined in.</summary>
internal sealed record JinjaMacro(Macro Definition, JinjaScope Scope)
{
    public string Name => $"the macro '{Definition.Name}'";

    public string Call(JinjaArguments arguments, JinjaScope caller)
    {
        arguments.Expect(Definition.Parameters.Select(p => p.Name).ToArray());
        var scope = Scope.Called(caller);
        for (int i = 0; i < Definition.Parameters.Count; i++)
        {
            var (name, absent) = Definition.Parameters[i];
            scope.Set(name, arguments.Has(i, name) ? arguments.Value(i, name) : absent is null ? new Undefined($"'{name}'") : absent.Evaluate(scope));
        }

        Definition.Body.Execute(scope);
        return scope.Output.ToString();
    }
}
