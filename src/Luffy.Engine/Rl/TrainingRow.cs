namespace Luffy.Engine.Rl;

/// <summary>
/// One sequence to learn from: a prompt and its response. The response's first <see cref="OffPolicyTokens"/> tokens come from a demonstration
/// (all of them in a demonstration row, the given beginning in a row that continues a prefix, none in a sampled row).
/// </summary>
public sealed record TrainingRow
{
    /// <summary>Prompt and response, end-of-text included where it was reached.</summary>
    public required int[] Ids { get; init; }

    /// <summary>Tokens of the prompt; at least 1.</summary>
    public required int PromptLength { get; init; }

    /// <summary>Leading response tokens that were not sampled by the policy.</summary>
    public int OffPolicyTokens { get; init; }

    /// <summary>One advantage for all tokens of the row.</summary>
    public float Advantage { get; init; }

    /// <summary>The advantage of the off-policy tokens where they have one of their own; null where it is the row's.</summary>
    public float? PrefixAdvantage { get; init; }

    /// <summary>
    /// ln π_old of each response token at the training temperature, read for sampled ones and by rl_plus; null or NaN means the current one, ratio exactly 1.
    /// </summary>
    public float[]? OldLogProbs { get; init; }

    /// <summary>ln q of the policy that wrote it for each response token, where recorded; NaN elsewhere.</summary>
    public float[]? BehaviorLogProbs { get; init; }

    /// <summary>ln π_ref of each response token; needed by the KL term.</summary>
    public float[]? ReferenceLogProbs { get; init; }

    /// <summary>
    /// True for a row of the supervised loss: its tokens count in that loss's denominator alone, and its objective is that of
    /// <see cref="PolicyObjectives.Imitation"/>.
    /// </summary>
    public bool Imitated { get; init; }

    /// <summary>A factor on the loss of all tokens of the row; no part of any denominator.</summary>
    public float Weight { get; init; } = 1;

    /// <summary>A factor on the loss of each response token; 0 takes a token out and leaves the denominators as they are. Null means 1 for all.</summary>
    public float[]? TokenWeights { get; init; }

    /// <summary>True takes the row out of the loss and out of its denominators (a truncated completion, where so configured).</summary>
    public bool Masked { get; init; }

    /// <summary>Tokens of the response.</summary>
    public int ResponseLength => Ids.Length - PromptLength;

    /// <summary>True where the whole response is a demonstration.</summary>
    public bool IsDemonstration => OffPolicyTokens > 0 && OffPolicyTokens == ResponseLength;

    /// <summary>The advantage of a response token.</summary>
    public float AdvantageOf(int token) => token < OffPolicyTokens ? PrefixAdvantage ?? Advantage : Advantage;

    /// <summary>The factor on the loss of a response token.</summary>
    /// <param name="token">Its place in the response.</param>
    public float TokenWeight(int token) => TokenWeights is null ? 1 : TokenWeights[token];

    /// <summary>Tokens that pass through the model: the last one is only predicted.</summary>
    public int InputTokens => Ids.Length - 1;
}
