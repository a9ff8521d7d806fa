using Luffy.Engine.Configuration;
using Luffy.Engine.Data;

namespace Luffy.Engine.Evaluation;

/// <summary>What <c>eval</c> is asked for.</summary>
public sealed record EvaluationRunOptions
{
    /// <summary>A model directory, or <c>builtin</c>.</summary>
    public required string ModelDirectory { get; init; }

    /// <summary>The data: files with their columns, or <c>builtin</c> for the test split of the built-in tasks.</summary>
    public required DataOptions Data { get; init; }

    /// <summary>
    /// Samples of each row: k of avg@k, pass@k and maj@k. A problem whose row stands in the file n times is sampled n times as often; with 0 such
    /// problems are sampled n times, and others are decoded greedily only.
    /// </summary>
    public int Samples { get; init; }

    /// <summary>Whether each problem is decoded greedily too.</summary>
    public bool Greedy { get; init; } = true;

    /// <summary>Temperature of the samples; greedy accuracy is measured beside them.</summary>
    public double Temperature { get; init; } = 0.6;

    /// <summary>The most likely tokens, up to this probability together; 1 keeps all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>The so many most likely tokens; 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Tokens at least this likely, as a share of the likeliest; 0 keeps all.</summary>
    public double MinP { get; init; }

    /// <summary>Longest completion; null for 1024, or half the model's window where that is less.</summary>
    public int? MaxNewTokens { get; init; }

    /// <summary>Problems of each source; 0 for all of a file, 50 of each built-in family.</summary>
    public int ItemsPerSource { get; init; }

    /// <summary>Takes the place of the data's own system messages: a text, <c>think</c>, or <c>none</c> for none at all; null leaves them.</summary>
    public string? SystemPrompt { get; init; }

    /// <summary>Where responses go, as JSONL; null keeps none.</summary>
    public string? Output { get; init; }

    /// <summary>Sequences decoded at once.</summary>
    public int Batch { get; init; } = 64;

    /// <summary>Names of the rewards; the accuracy reward among them grades.</summary>
    public IReadOnlyList<string> RewardFunctions { get; init; } = ["math"];

    /// <summary>Grade by <see cref="StatedAnswerReward"/> instead.</summary>
    public bool ReadsStatedAnswers { get; init; }

    /// <summary>Decides the samples.</summary>
    public long Seed { get; init; } = 42;
}

/// <summary>What <c>eval</c> found.</summary>
/// <param name="Sources">Figures by data source, and means.</param>
/// <param name="Prompts">The problems.</param>
/// <param name="Graded">Every completion.</param>
public sealed record EvaluationOutcome(IReadOnlyList<SourceResult> Sources, IReadOnlyList<TokenizedPrompt> Prompts, IReadOnlyList<GradedCompletion> Graded);
