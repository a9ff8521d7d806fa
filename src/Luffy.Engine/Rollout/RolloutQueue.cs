namespace Luffy.Engine.Rollout;

/// <summary>Samples that have yet to begin, in order.</summary>
internal sealed class RolloutQueue(IReadOnlyList<RolloutRequest> requests, GenerationOptions options)
{
    /// <summary>Index of the first request that has samples left.</summary>
    public int Next { get; private set; }

    /// <summary>How many of its samples have begun.</summary>
    public int Begun { get; private set; }

    public bool HasWaiting => Next < requests.Count;

    /// <summary>Tokens of its prompt.</summary>
    public int PromptLength => requests[Next].PromptIds.Length;

    /// <summary>Its longest completion.</summary>
    public int MaxNewTokens => requests[Next].MaxNewTokens > 0 ? requests[Next].MaxNewTokens : options.MaxNewTokens;

    /// <summary>Makes <paramref name="sequence"/> the next sample.</summary>
    public void Begin(ActiveSequence sequence)
    {
        sequence.MaxNewTokens = MaxNewTokens;
        RolloutRequest request = requests[Next];
        (sequence.Request, sequence.Sample, sequence.PromptKey, sequence.Prompt) = (Next, request.FirstSample + Begun, request.PromptKey, request.PromptIds);
        (sequence.Generated, sequence.Stored, sequence.Chunk, sequence.PageCount, sequence.Prefills, sequence.Leader) = (0, 0, 0, 0, true, null);
        if (++Begun == request.Samples) (Next, Begun) = (Next + 1, 0);
    }
}
