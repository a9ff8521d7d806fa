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
    public int PromptLength { get; set; }
    public int MaxNewTokens { get; set; }
    public int PageCount { get; set; }
    public int Generated { get; set; }

    /// <summary>The id that goes through the model next: the last one drawn, or the prompt's last where none is drawn yet.</summary>
    public int LastId { get; set; }

    public Completion Complete(FinishReason finish) =>
        new(Request, Sample, Ids[..Generated], LogProbs[..Generated], SampledLogProbs[..Generated], finish);
}
