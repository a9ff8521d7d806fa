namespace Luffy.Engine.Rollout;

/// <summary>A sequence while it is decoded: preallocated, reused, so that a token costs no managed memory.</summary>
internal sealed class ActiveSequence(int maxPages, int maxNewTokens)
{
    public readonly int[] Pages = new int[maxPages];
    public readonly int[] Ids = new int[maxNewTokens];
    public readonly float[] LogProbs = new float[maxNewTokens];
    public readonly float[] SampledLogProbs = new float[maxNewTokens];

    public int Request { get; set; }
    public int Sample { get; set; }
    public int PromptKey { get; set; }
    public int[] Prompt { get; set; } = [];
    public int MaxNewTokens { get; set; }
    public int PageCount { get; set; }
    public int Generated { get; set; }

    /// <summary>Tokens whose keys and values are in the cache.</summary>
    public int Stored { get; set; }

    /// <summary>Tokens of the next forward pass; 0 where it sits the pass out.</summary>
    public int Chunk { get; set; }

    /// <summary>
    /// Whether it computes what no other sequence has in the cache: its prompt, or all that it gave up. Counted as prefill until it draws.
    /// </summary>
    public bool Prefills { get; set; }

    /// <summary>Another sample of the same prompt whose prefill this one waits for.</summary>
    public ActiveSequence? Leader { get; set; }

    /// <summary>Tokens that the model has yet to see: 1 while decoding, more for a prompt or after giving its pages up.</summary>
    public int Pending => Prompt.Length + Generated - Stored;

    /// <summary>Whether the next forward pass gives the logits of a new token.</summary>
    public bool Draws => Chunk > 0 && Chunk == Pending;

    public int Token(int position) => position < Prompt.Length ? Prompt[position] : Ids[position - Prompt.Length];

    public Completion Complete(FinishReason finish) =>
        new(Request, Sample, Ids[..Generated], LogProbs[..Generated], SampledLogProbs[..Generated], finish);
}
