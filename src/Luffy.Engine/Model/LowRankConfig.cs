namespace Luffy.Engine.Model;

/// <summary>A projection of a layer that may have a low-rank adapter, by Hugging Face's name.</summary>
public enum LowRankTarget
{
    /// <summary>q_proj.</summary>
    QProj,

    /// <summary>k_proj.</summary>
    KProj,

    /// <summary>v_proj.</summary>
    VProj,

    /// <summary>o_proj.</summary>
    OProj,

    /// <summary>gate_proj.</summary>
    GateProj,

    /// <summary>up_proj.</summary>
    UpProj,

    /// <summary>down_proj.</summary>
    DownProj,
}

/// <summary>
/// Low-rank adapters (LoRA: Hu et al., arXiv 2106.09685): a projection W of each layer becomes W + s·B·A with A [r, in] and B [out, r], and
/// A and B alone are trained.
/// </summary>
/// <param name="Rank">r.</param>
/// <param name="Alpha">s = alpha/r, or alpha/√r where <paramref name="RankStabilized"/>.</param>
/// <param name="RankStabilized">rsLoRA (Kalajdzievski, arXiv 2312.03732).</param>
/// <param name="Targets">Which projections have one, each once, in the enumeration's order.</param>
public sealed record LowRankConfig(int Rank, double Alpha, bool RankStabilized, IReadOnlyList<LowRankTarget> Targets)
{
    /// <summary>The largest rank.</summary>
    public const int LargestRank = 4096;

    /// <summary>PEFT's word for every projection of a layer.</summary>
    public const string AllLinear = "all-linear";

    /// <summary>Every projection of a layer.</summary>
    public static IReadOnlyList<LowRankTarget> AllTargets { get; } = Enum.GetValues<LowRankTarget>();

    /// <summary>s.</summary>
    public float Scale => (float)(Alpha / (RankStabilized ? Math.Sqrt(Rank) : Rank));

    /// <summary>How many of some projections have an adapter.</summary>
    public int CountOf(params ReadOnlySpan<LowRankTarget> targets)
    {
        int count = 0;
        foreach (LowRankTarget target in targets)
            if (Targets.Contains(target)) count++;
        return count;
    }

    /// <summary>Hugging Face's name of a projection, as <c>q_proj</c>.</summary>
    public static string NameOf(LowRankTarget target) => target switch
    {
        LowRankTarget.QProj => "q_proj",
        LowRankTarget.KProj => "k_proj",
        LowRankTarget.VProj => "v_proj",
        LowRankTarget.OProj => "o_proj",
        LowRankTarget.GateProj => "gate_proj",
        LowRankTarget.UpProj => "up_proj",
        _ => "down_proj",
    };

    /// <summary>Its path within a layer, as <c>self_attn.q_proj</c>.</summary>
    public static string PathOf(LowRankTarget target) => (target <= LowRankTarget.OProj ? "self_attn." : "mlp.") + NameOf(target);

    /// <summary>Same rank, scale and projections, whatever the lists are.</summary>
    public bool Equals(LowRankConfig? other) => other is not null && Rank == other.Rank && Alpha.Equals(other.Alpha)
        && RankStabilized == other.RankStabilized && Targets.SequenceEqual(other.Targets);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Rank, Alpha, RankStabilized, Targets.Count);

    /// <summary>One line for people.</summary>
    public override string ToString() =>
        $"rank {Rank}, alpha {Alpha}{(RankStabilized ? " (rank-stabilised)" : "")}, on {string.Join(", ", Targets.Select(NameOf))}";
}
