namespace Luffy.Engine.Configuration;

/// <summary>Names of a dataset's fields.</summary>
public sealed record ColumnOptions
{
    /// <summary>The prompt: a text, or a list of {role, content}.</summary>
    public string Prompt { get; init; } = "prompt";

    /// <summary>The gold answer.</summary>
    public string Answer { get; init; } = "answer";

    /// <summary>The teacher's completion: a text, a list of texts, or a list of {role, content}. Null where the data has none.</summary>
    public string? Demonstration { get; init; }

    /// <summary>A unique name of the row; null means its line number.</summary>
    public string? Id { get; init; }

    /// <summary>The data source or task family; null means the file's name.</summary>
    public string? Source { get; init; }

    /// <summary>A system message of the row's own.</summary>
    public string? System { get; init; }
}
