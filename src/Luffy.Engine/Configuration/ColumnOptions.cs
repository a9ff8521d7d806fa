namespace Luffy.Engine.Configuration;

/// <summary>Names of a dataset's fields, as dotted paths. Where neither prompt nor answer is named, the layout is recognised from the fields there are.</summary>
public sealed record ColumnOptions
{
    /// <summary>The prompt: a text, or a list of {role, content}; an answer at the list's end is no part of it. Null: recognised, or <c>prompt</c>.</summary>
    public string? Prompt { get; init; }

    /// <summary>The gold answer: a text, a number, or a list of answers of which any is right. Null: recognised, or <c>answer</c>.</summary>
    public string? Answer { get; init; }

    /// <summary>The teacher's completions: a text, a list of texts, a list of {role, content}, ids, or a list of lists of ids. Null where the data has none.</summary>
    public string? Demonstration { get; init; }

    /// <summary>Fields that say of each demonstration whether to use it: a list of true and false beside the demonstrations, or one for all. All must be true.</summary>
    public IReadOnlyList<string>? DemonstrationFlags { get; init; }

    /// <summary>The teacher's log-probs: a list of natural logarithms beside each demonstration, one for each of its tokens, with or without end-of-text.</summary>
    public string? DemonstrationLogprobs { get; init; }

    /// <summary>A unique name of the row; null means its number.</summary>
    public string? Id { get; init; }

    /// <summary>The data source or task family; null means the file's name.</summary>
    public string? Source { get; init; }

    /// <summary>A system message of the row's own.</summary>
    public string? System { get; init; }
}
