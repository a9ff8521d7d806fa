namespace Luffy.Engine.Data.Tasks;

/// <summary>One problem with its exact answer and the teacher's work.</summary>
public sealed record TaskProblem
{
    /// <summary>The family's name, for example <c>addition</c>.</summary>
    public required string Family { get; init; }

    /// <summary>
    /// What makes two problems the same, for example <c>addition:372,485</c>: operands in sorted order where the operation commutes.
    /// Decides the split.
    /// </summary>
    public required string Key { get; init; }

    /// <summary>The user's message.</summary>
    public required string Question { get; init; }

    /// <summary>The exact answer, as the teacher boxes it.</summary>
    public required string Answer { get; init; }

    /// <summary>The worked lines inside the thought, in order, each ending in a line feed.</summary>
    public required IReadOnlyList<string> Steps { get; init; }

    /// <summary>
    /// What somebody says who does not work it out: a number of the question that is never right. Only pretraining data uses it.
    /// </summary>
    public required string HastyAnswer { get; init; }

    /// <summary>The family's own word for giving up the work, a single token of the built-in tokenizer.</summary>
    public required string HastyWord { get; init; }

    /// <summary>
    /// What a hasty answer may write instead of the word: a line of another family's work, which looks right and leads astray, and ends in a
    /// line feed. Null where the family has none. To unlearn it takes more than to unlearn giving up, which families have in common.
    /// </summary>
    public string? WrongLine { get; init; }

    /// <summary>
    /// The teacher's completion: the text after the generation prompt, which has already opened the thought. All steps, the end of the
    /// thought, the boxed answer; no end-of-text token.
    /// </summary>
    public string Demonstration(TaskNotation notation = TaskNotation.Plain) => string.Concat(StepsIn(notation)) + Conclude(Answer);

    /// <summary>A completion that works for <paramref name="steps"/> steps and then gives up with the hasty answer.</summary>
    public string HastyCompletion(int steps, TaskNotation notation = TaskNotation.Plain) =>
        string.Concat(StepsIn(notation).Take(steps)) + HastyWord + "\n" + Conclude(HastyAnswer);

    /// <summary>A completion that works for <paramref name="steps"/> steps and then goes astray by <see cref="WrongLine"/>.</summary>
    public string WrongCompletion(int steps, TaskNotation notation = TaskNotation.Plain)
    {
        string line = WrongLine ?? throw new InvalidOperationException($"{Family} has no line that leads astray.");
        return string.Concat(StepsIn(notation).Take(steps)) + (notation == TaskNotation.Checked ? Checked(line) : line) + Conclude(HastyAnswer);
    }

    /// <summary>The worked lines in a notation.</summary>
    public IReadOnlyList<string> StepsIn(TaskNotation notation) => notation == TaskNotation.Plain ? Steps : [.. Steps.Select(Checked)];

    /// <summary>The problem as a prompt with its demonstration.</summary>
    public PromptExample ToPromptExample(TaskNotation notation = TaskNotation.Plain) => new()
    {
        Id = Key,
        Source = Family,
        Messages = [new ChatMessage("user", Question)],
        Answer = Answer,
        Demonstrations = [Demonstration(notation)],
    };

    private static string Checked(string step)
    {
        int first = step.AsSpan().IndexOfAnyInRange('0', '9');
        string line = step[first..^1];
        return $"{line} and {string.Join('=', line.Split('=').Reverse())};{step[..first].TrimEnd()}\n";
    }

    private static string Conclude(string answer) => "</think>\n\\boxed{" + answer + "}";
}
