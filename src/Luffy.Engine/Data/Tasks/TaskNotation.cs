namespace Luffy.Engine.Data.Tasks;

/// <summary>How the teacher writes its work down.</summary>
public enum TaskNotation
{
    /// <summary>A line a step: <c>tens 7+8+1=16</c>.</summary>
    Plain,

    /// <summary>
    /// Every line is read backwards to check it, and named last: <c>7+8+1=16 and 16=7+8+1;tens</c>. Twice as long, and not how the base
    /// model of the harder suite likes to write: demonstrations in it are off-policy in more than their success.
    /// </summary>
    Checked,
}
