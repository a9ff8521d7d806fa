using Luffy.Kernels;

namespace Luffy.Engine.Rollout;

/// <summary>How completions are sampled.</summary>
public sealed record GenerationOptions
{
    /// <summary>Temperature, filters and seed.</summary>
    public required SamplingOptions Sampling { get; init; }

    /// <summary>Tokens that end a completion; the token itself belongs to it.</summary>
    public required IReadOnlyList<int> StopIds { get; init; }

    /// <summary>Longest completion, the stop token included.</summary>
    public required int MaxNewTokens { get; init; }
}

/// <summary>Why a completion ended.</summary>
public enum FinishReason
{
    /// <summary>A stop token.</summary>
    Stop,

    /// <summary>The longest completion allowed.</summary>
    Length,
}

/// <summary>Completions wanted for one prompt.</summary>
/// <param name="PromptIds">The prompt's ids, which the model has not seen yet; not empty.</param>
/// <param name="PromptKey">Identifies the prompt to the random generator; the same key, sample, position and seed give the same draw.</param>
/// <param name="Samples">How many completions.</param>
/// <param name="FirstSample">Number of the first sample.</param>
/// <param name="MaxNewTokens">Longest completion of this request; 0 takes that of <see cref="GenerationOptions"/>.</param>
public sealed record RolloutRequest(int[] PromptIds, int PromptKey, int Samples, int FirstSample = 0, int MaxNewTokens = 0);

/// <summary>One sampled completion.</summary>
/// <param name="Request">Index of its request.</param>
/// <param name="Sample">Number of the sample within its request.</param>
/// <param name="Ids">The completion's ids, the stop token included where there is one.</param>
/// <param name="LogProbs">ln π of each id under the whole distribution at the temperature: the bits that training recomputes.</param>
/// <param name="SampledLogProbs">ln of the probability with which it was drawn, after top-k, top-p and min-p.</param>
/// <param name="Finish">Why it ended.</param>
public sealed record Completion(int Request, int Sample, int[] Ids, float[] LogProbs, float[] SampledLogProbs, FinishReason Finish);

/// <summary>Called for every token as it is drawn, for streaming: request, sample, id.</summary>
public delegate void TokenObserver(int request, int sample, int id);
