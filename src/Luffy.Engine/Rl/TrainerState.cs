namespace Luffy.Engine.Rl;

/// <summary>The counters of a run that a checkpoint carries, beside weights and moments.</summary>
public sealed record TrainerState
{
    /// <summary>Steps made.</summary>
    public int Step { get; set; }

    /// <summary>Optimiser updates made.</summary>
    public long Updates { get; set; }

    /// <summary>Epoch of the dataset's cursor.</summary>
    public int Epoch { get; set; }

    /// <summary>Prompts of that epoch already used.</summary>
    public int Position { get; set; }

    /// <summary>The entropy bonus's current weight.</summary>
    public double EntropyCoefficient { get; set; }

    /// <summary>Tokens sampled and trained on.</summary>
    public long Tokens { get; set; }

    /// <summary>Tokens sampled; what max_rollout_tokens counts.</summary>
    public long SampledTokens { get; set; }

    /// <summary>Tokens that went through the model forward and backward.</summary>
    public long TrainedTokens { get; set; }

    /// <summary>Tokens that went through a model forward alone, for their log-probs.</summary>
    public long ScoredTokens { get; set; }

    /// <summary>Largest difference between a token's log-prob when sampled and when trained on.</summary>
    public double MaxLogProbDifference { get; set; }

    /// <summary>Takes over every counter.</summary>
    public void CopyFrom(TrainerState other)
    {
        (Step, Updates, Epoch, Position) = (other.Step, other.Updates, other.Epoch, other.Position);
        (EntropyCoefficient, Tokens, MaxLogProbDifference) = (other.EntropyCoefficient, other.Tokens, other.MaxLogProbDifference);
        (SampledTokens, TrainedTokens, ScoredTokens) = (other.SampledTokens, other.TrainedTokens, other.ScoredTokens);
    }
}
